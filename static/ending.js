// Says some minutes before a session runs out that it will, with a button to go on. Without it a form that is sent too late asks for the password
// and is kept.
"use strict";

const ending = document.getElementById("ending");
if (ending) watchEnd(ending);

function watchEnd(place) {
  const words = place.dataset, idle = words.idle ? Number(words.idle) * 1000 : Infinity;
  const last = Date.now() + Number(words.most) * 1000;
  // Said three minutes before, and in the last third of a short one.
  const ahead = Math.min(180000, idle / 3);
  let rests = Date.now() + idle, said = "";
  // A click in another tab counts for this one, too.
  const tabs = "BroadcastChannel" in window ? new BroadcastChannel("kinchart-session") : null;
  tabs?.addEventListener("message", () => { rests = Date.now() + idle; });
  tabs?.postMessage("here");

  const say = (what) => {
    if (what === said) return;
    said = what;
    place.hidden = !what;
    place.replaceChildren();
    if (!what) return;
    const text = document.createElement("span");
    text.textContent = words[what];
    place.append(text);
    if (what !== "soon") return;
    const stay = document.createElement("button");
    Object.assign(stay, { type: "button", className: "button", textContent: words.stay });
    stay.addEventListener("click", goOn);
    place.append(" ", stay);
  };
  const goOn = async () => {
    try {
      const answer = await fetch("/session", { redirect: "manual", headers: { Accept: "application/json" } });
      if (!answer.ok) { say("over"); return; }
      rests = Date.now() + idle;
      tabs?.postMessage("here");
      look();
    } catch { /* No connection now: the notice stays, and the button. */ }
  };
  const look = () => {
    const now = Date.now();
    if (now >= last || now >= rests) say("over");
    else if (now >= last - 300000) say("last");
    else say(now >= rests - ahead ? "soon" : "");
  };
  setInterval(look, 1000);
  document.addEventListener("visibilitychange", look);
  look();
}
