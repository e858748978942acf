// Passkeys: a form asks the server for a challenge, the browser's keys for an answer, and is sent with it. Only this needs JavaScript.
"use strict";

const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=/g, "");

// The options have texts where browsers want bytes.
const readable = ({ publicKey }) => {
  publicKey.challenge = bytes(publicKey.challenge);
  if (publicKey.user) publicKey.user.id = bytes(publicKey.user.id);
  for (const list of [publicKey.excludeCredentials, publicKey.allowCredentials]) for (const key of list ?? []) key.id = bytes(key.id);
  return { publicKey };
};

const written = (credential) => {
  const { response } = credential, parts = {};
  for (const name of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (response[name]) parts[name] = text(response[name]);
  }
  if (response.getTransports) parts.transports = response.getTransports();
  return JSON.stringify({ id: credential.id, rawId: text(credential.rawId), type: credential.type, response: parts, extensions: {} });
};

for (const form of document.querySelectorAll("form[data-passkey]")) {
  const said = form.querySelector("[role=alert]");
  form.querySelector("[data-without-script]").hidden = true;
  const tell = (words) => { said.textContent = words; said.hidden = false; };
  if (!window.PublicKeyCredential) { tell(form.dataset.none); continue; }
  for (const part of form.querySelectorAll("[data-with-script]")) part.hidden = false;
  form.addEventListener("submit", async (event) => {
    if (form.elements.credential.value) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    said.hidden = true;
    const remember = document.getElementById("remember");
    if (form.elements.remember && remember) form.elements.remember.value = remember.checked ? "true" : "";
    try {
      const answer = await fetch(form.dataset.passkey, { method: "POST", headers: { accept: "application/json" } });
      // Whoever has to prove something first, or to sign in, is led there.
      if (answer.redirected) {
        const place = new URL(answer.url).pathname;
        location.assign(place === "/confirm" ? `/confirm?next=${encodeURIComponent(location.pathname)}` : place);
        return;
      }
      if (!answer.ok) { tell(answer.status === 429 ? form.dataset.busy : form.dataset.none); return; }
      const { challenge, options } = await answer.json();
      const asks = form.dataset.makes === "1" ? "create" : "get";
      const credential = await navigator.credentials[asks](readable(options));
      form.elements.challenge.value = challenge;
      form.elements.credential.value = written(credential);
      form.requestSubmit();
    } catch (error) {
      tell(error.name === "InvalidStateError" ? form.dataset.known ?? form.dataset.failed : form.dataset.failed);
    }
  }, { capture: true });
}
