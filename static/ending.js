// Says some minutes before a session runs out that it will, with a button to go on, and takes the page away when it did, but for a form that
// somebody was writing. Without this script a form that is sent too late asks for the password and is kept.
"use strict";

const ending = document.getElementById("ending");
if (ending) watchEnd(ending);

function watchEnd(place) {
  const words = place.dataset, idle = words.idle ? Number(words.idle) * 1000 : Infinity;
  const last = Date.now() + Number(words.most) * 1000;
  // Said three minutes before, and in the last third of a short one.
  const ahead = Math.min(180000, idle / 3);
  let rests = Date.now() + idle, said = "";
  // A click in another tab counts for this one, too, and so does signing out there.
  const tabs = "BroadcastChannel" in window ? new BroadcastChannel("kinchart-session") : null;
  tabs?.addEventListener("message", ({ data }) => {
    rests = data === "out" ? 0 : Date.now() + idle;
    look();
  });
  tabs?.postMessage("here");
  document.addEventListener("submit", ({ target }) => { if (target.getAttribute("action") === "/logout") tabs?.postMessage("out"); });

  const say = (what) => {
    if (what === said) return;
    said = what;
    if (what === "over" && !isWritten()) { leave(); return; }
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
  // Nobody comes by and reads what somebody left open.
  const leave = () => {
    document.querySelectorAll("main, aside").forEach((part) => part.replaceChildren());
    document.title = document.querySelector(".mark")?.textContent ?? "";
    const again = document.createElement("a");
    again.href = `/login?${new URLSearchParams({ next: location.pathname + location.search })}`;
    again.textContent = words.again;
    // It is all the page says now, so it is its heading, too.
    const told = document.createElement("h1");
    told.textContent = words.overPlain;
    place.hidden = false;
    place.replaceChildren(told, " ", again);
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

// Does a form hold something that is not what it came with? A choice that cannot be told apart from its first one counts as untouched.
function isWritten() {
  const differs = (field) => {
    if (field.type === "hidden") return false;
    if (field.type === "checkbox" || field.type === "radio") return field.checked !== field.defaultChecked;
    if (field.type === "file") return field.files.length > 0;
    if (field.tagName === "SELECT") return [...field.options].some((option) => option.selected && !option.defaultSelected && option.index > 0);
    return field.defaultValue !== undefined && field.value !== field.defaultValue;
  };
  return [...document.querySelectorAll("main form")].some((form) => [...form.elements].some(differs));
}
