// What is made of a document in the background is shown as soon as it is there: asked for again, less and less often.
"use strict";

for (const part of document.querySelectorAll("[data-ask]")) ask(part, 2, 40);

function ask(part, seconds, tries) {
  setTimeout(async () => {
    let pause = Math.min(seconds * 1.5, 60);
    try {
      const answer = await fetch(part.dataset.ask, { headers: { Accept: "text/plain" }, redirect: "error" });
      // Somebody may have signed out, or thrown the document away.
      if (answer.status >= 400 && answer.status < 500) return;
      if (answer.ok && (await answer.text()) !== part.dataset.state) {
        const page = await (await fetch(location.href, { redirect: "error" })).text();
        const fresh = new DOMParser().parseFromString(page, "text/html").getElementById(part.id);
        // The part itself stays, so that a screen reader tells what is new in it.
        part.replaceChildren(...fresh.childNodes);
        if (!fresh.dataset.ask) return;
        part.dataset.state = fresh.dataset.state;
        pause = 2;
      }
    } catch { /* No connection at the moment. */ }
    if (tries > 0) ask(part, pause, tries - 1);
  }, seconds * 1000);
}
