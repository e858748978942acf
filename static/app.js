// Makes pages nicer; nothing here is needed. No inline handlers, no framework.
"use strict";

// What is wrong takes the focus, so that a screen reader begins there.
const summary = document.getElementById("summary");
if (summary) summary.focus();

// A form is sent once: the second click of a double click does nothing.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post") return;
  if (form.dataset.sent) { event.preventDefault(); return; }
  form.dataset.sent = "1";
  // Coming back with the back button finds a form that can be sent again.
  window.addEventListener("pageshow", () => delete form.dataset.sent, { once: true });
});

// Leaving a form in which something was written asks first.
for (const form of document.querySelectorAll("form[data-keep]")) {
  let changed = false;
  form.addEventListener("input", () => { changed = true; });
  form.addEventListener("submit", () => { changed = false; });
  form.addEventListener("kinchart:left", () => { changed = false; });
  window.addEventListener("beforeunload", (event) => { if (changed) event.preventDefault(); });
}

// Parts of a form that belong to a choice: the chosen one opens, the others close unless something stands in them.
for (const part of document.querySelectorAll("details[data-by]")) {
  const choice = part.closest("form").elements.namedItem(part.dataset.by);
  choice.addEventListener("change", () => {
    part.open = choice.value === part.dataset.word || [...part.querySelectorAll("input")].some((input) => input.value);
  });
}

// Kinds that are ticked are what "Only what I tick" means: the one leads to the other.
const ticked = document.getElementById("f-kinds"), only = document.getElementById("f-set-chosen");
if (ticked && only) {
  only.addEventListener("change", () => { ticked.closest("details").open = true; });
  ticked.addEventListener("change", (event) => { if (event.target.checked) only.checked = true; });
}

// The family tree is looked at from the person's own place.
for (const part of document.querySelectorAll(".pedigree .scroll")) {
  const own = part.querySelector(".own").getBoundingClientRect(), seen = part.getBoundingClientRect();
  part.scrollLeft += own.left + own.width / 2 - (seen.left + seen.width / 2);
}

// A filter that was chosen is applied at once.
for (const form of document.querySelectorAll("form.filters")) {
  for (const select of form.querySelectorAll("select")) select.addEventListener("change", () => form.requestSubmit());
}

// A menu closes with Escape and when one looks elsewhere.
for (const menu of document.querySelectorAll("details.add")) {
  document.addEventListener("click", (event) => { if (!menu.contains(event.target)) menu.open = false; });
  menu.addEventListener("keydown", (event) => {
    if (event.key === "Escape") { menu.open = false; menu.querySelector("summary").focus(); }
  });
}

// Code lists offer words while one types; the person's own words stay unless an offer is taken.
for (const input of document.querySelectorAll("input[data-offers]")) offerWords(input);

function offerWords(input) {
  const list = document.createElement("ul");
  list.className = "offered";
  list.id = input.id + "-offered";
  list.hidden = true;
  list.setAttribute("role", "listbox");
  const label = document.querySelector(`label[for="${input.id}"]`);
  list.setAttribute("aria-label", label ? label.textContent.trim() : "");
  input.after(list);
  for (const [name, value] of Object.entries({ role: "combobox", "aria-autocomplete": "list", "aria-expanded": "false", "aria-controls": list.id })) {
    input.setAttribute(name, value);
  }
  let offers = [], chosen = -1, asked = 0, timer;

  const close = () => {
    list.hidden = true; chosen = -1;
    input.setAttribute("aria-expanded", "false"); input.removeAttribute("aria-activedescendant");
  };
  const choose = (index) => {
    chosen = index;
    [...list.children].forEach((item, i) => item.setAttribute("aria-selected", String(i === index)));
    if (index < 0) input.removeAttribute("aria-activedescendant");
    else { input.setAttribute("aria-activedescendant", list.children[index].id); list.children[index].scrollIntoView({ block: "nearest" }); }
  };
  const take = (index) => {
    for (const [name, value] of Object.entries(offers[index].fields)) {
      const field = input.form.elements.namedItem(name);
      if (field) { field.value = value; const more = field.closest("details"); if (more) more.open = true; }
    }
    input.dispatchEvent(new Event("change", { bubbles: true }));
    close();
  };
  const show = () => {
    list.replaceChildren(...offers.map((offer, i) => {
      const item = document.createElement("li");
      item.id = `${list.id}-${i}`;
      item.setAttribute("role", "option");
      item.setAttribute("aria-selected", "false");
      const text = document.createElement("span");
      text.textContent = (offer.code ? offer.code + "  " : "") + offer.text;
      item.append(text);
      if (offer.detail) { const detail = document.createElement("span"); detail.className = "quiet small"; detail.textContent = offer.detail; item.append(detail); }
      item.addEventListener("mousedown", (event) => { event.preventDefault(); take(i); });
      return item;
    }));
    list.hidden = offers.length === 0;
    input.setAttribute("aria-expanded", String(!list.hidden));
    chosen = -1;
  };
  const ask = async () => {
    const q = input.value.trim(), mine = ++asked;
    if (q.length < 2) { close(); return; }
    try {
      const answer = await fetch(`/codes/${input.dataset.offers}?` + new URLSearchParams({ q }), { headers: { Accept: "application/json" } });
      if (!answer.ok || mine !== asked) return;
      offers = await answer.json();
      if (mine === asked && document.activeElement === input) show();
    } catch { close(); }
  };
  input.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(ask, 120); });
  input.addEventListener("blur", close);
  input.addEventListener("keydown", (event) => {
    if (list.hidden) return;
    if (event.key === "ArrowDown") { event.preventDefault(); choose((chosen + 1) % offers.length); }
    else if (event.key === "ArrowUp") { event.preventDefault(); choose((chosen - 1 + offers.length) % offers.length); }
    else if (event.key === "Enter" && chosen >= 0) { event.preventDefault(); take(chosen); }
    else if (event.key === "Escape") { event.preventDefault(); close(); }
  });
}

// What is to be handed on is copied with one click.
for (const input of document.querySelectorAll("input[data-copy]")) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "button";
  button.textContent = input.dataset.copy;
  button.setAttribute("aria-describedby", input.id);
  button.addEventListener("click", async () => {
    input.select();
    // Without a secure context there is no clipboard; then the text is at least marked.
    await navigator.clipboard?.writeText(input.value);
    if (navigator.clipboard) button.textContent = input.dataset.copied;
  });
  input.after(button);
}

// "Print" prints.
for (const button of document.querySelectorAll("[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => window.print());
}
if (new URLSearchParams(location.search).has("print")) window.addEventListener("load", () => window.print());

// The square of a photograph is moved on the picture itself; what is sent are the three sliders, which say the same.
for (const form of document.querySelectorAll("form[data-photo]")) {
  const canvas = form.querySelector("canvas"), pen = canvas.getContext("2d");
  const slider = (name) => form.elements.namedItem(name), share = (name) => Number(slider(name).value) / 100;
  let picture = null;
  const frame = () => {
    const side = Math.min(canvas.width, canvas.height) * share("size");
    return { side, left: (canvas.width - side) * share("x"), top: (canvas.height - side) * share("y") };
  };
  const draw = () => {
    if (!picture) return;
    const { side, left, top } = frame(), shade = new Path2D();
    pen.drawImage(picture, 0, 0, canvas.width, canvas.height);
    shade.rect(0, 0, canvas.width, canvas.height);
    shade.rect(left, top, side, side);
    pen.fillStyle = "rgb(0 0 0 / .6)";
    pen.fill(shade, "evenodd");
    pen.strokeStyle = "white";
    pen.lineWidth = 2;
    pen.strokeRect(left + 1, top + 1, side - 2, side - 2);
  };
  form.addEventListener("input", draw);
  slider("file").addEventListener("change", async () => {
    const file = slider("file").files[0];
    try { picture = file ? await createImageBitmap(file) : null; } catch { picture = null; }
    canvas.hidden = !picture;
    if (!picture) return;
    const scale = Math.min(1, 640 / Math.max(picture.width, picture.height));
    canvas.width = Math.round(picture.width * scale);
    canvas.height = Math.round(picture.height * scale);
    form.querySelector("details").open = true;
    draw();
  });
  // Where the pointer took hold of it, and where the square was then.
  let held = null;
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    held = { x: event.clientX, y: event.clientY, ...frame() };
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!held || !canvas.hasPointerCapture(event.pointerId)) return;
    const scale = canvas.width / canvas.getBoundingClientRect().width;
    const part = (now, room) => (room > 0 ? Math.max(0, Math.min(100, (now / room) * 100)) : 50);
    slider("x").value = part(held.left + (event.clientX - held.x) * scale, canvas.width - held.side);
    slider("y").value = part(held.top + (event.clientY - held.y) * scale, canvas.height - held.side);
    draw();
  });
}
// Documents can be dropped where they are chosen, come from a phone's camera, and show how far they are.
for (const chooser of document.querySelectorAll("[data-chooser]")) takeFiles(chooser);

function takeFiles(chooser) {
  const input = chooser.querySelector("input[type=file]"), form = input.form, words = chooser.dataset;
  // What is there and what comes: choosing again adds nothing to what was dropped, as browsers do it; dropping and photographing add.
  const add = (files) => {
    const all = new DataTransfer();
    for (const file of [...input.files, ...files]) all.items.add(file);
    input.files = all.files;
    input.dispatchEvent(new Event("change", { bubbles: true }));
    input.dispatchEvent(new Event("input", { bubbles: true }));
  };
  input.addEventListener("change", () => {
    const large = words.most && [...input.files].find((file) => file.size > Number(words.most));
    input.setCustomValidity(large ? `${large.name}: ${words.large}` : "");
    if (large) input.reportValidity();
  });

  let inside = 0;
  const over = (by) => { inside = Math.max(0, inside + by); chooser.classList.toggle("over", inside > 0); };
  const isFiles = (event) => event.dataTransfer && [...event.dataTransfer.types].includes("Files");
  form.addEventListener("dragenter", (event) => { if (isFiles(event)) { event.preventDefault(); over(1); } });
  form.addEventListener("dragover", (event) => { if (isFiles(event)) event.preventDefault(); });
  form.addEventListener("dragleave", (event) => { if (isFiles(event)) over(-1); });
  form.addEventListener("drop", (event) => {
    if (!isFiles(event)) return;
    event.preventDefault();
    over(-inside);
    add(event.dataTransfer.files);
  });

  if (matchMedia("(pointer: coarse)").matches) {
    const camera = document.createElement("input"), button = document.createElement("button");
    Object.assign(camera, { type: "file", accept: "image/*", hidden: true });
    camera.setAttribute("capture", "environment");
    camera.addEventListener("change", () => { add(camera.files); camera.value = ""; });
    Object.assign(button, { type: "button", className: "button", textContent: words.camera });
    button.addEventListener("click", () => camera.click());
    input.after(button);
    chooser.append(camera);
  }

  form.addEventListener("submit", (event) => {
    if (event.defaultPrevented || input.files.length === 0) return;
    event.preventDefault();
    if (form.dataset.keep !== undefined) form.dispatchEvent(new Event("kinchart:left"));
    send(form, event.submitter, chooser, words);
  });
}

// The same form by a request that tells how far it is. Where it leads is opened; what it answers otherwise is shown in its place.
function send(form, submitter, chooser, words) {
  const body = new FormData(form), request = new XMLHttpRequest();
  if (submitter && submitter.name) body.append(submitter.name, submitter.value);
  const state = document.createElement("div"), bar = document.createElement("progress"), text = document.createElement("span"), cancel = document.createElement("button");
  state.className = "sending";
  text.setAttribute("role", "status");
  text.textContent = words.sending;
  bar.setAttribute("aria-label", words.sending);
  bar.max = 100;
  Object.assign(cancel, { type: "button", className: "button", textContent: words.cancel });
  cancel.addEventListener("click", () => request.abort());
  state.append(bar, text, cancel);
  chooser.append(state);
  const stop = (message) => {
    delete form.dataset.sent;
    state.remove();
    if (!message) return;
    const told = document.createElement("p");
    told.className = "error";
    told.setAttribute("role", "alert");
    told.textContent = message;
    chooser.append(told);
  };
  for (const old of chooser.querySelectorAll("p.error")) old.remove();
  request.upload.addEventListener("progress", (event) => {
    if (event.lengthComputable) { bar.value = 100 * event.loaded / event.total; text.textContent = `${words.sending} ${Math.round(bar.value)} %`; }
  });
  request.addEventListener("abort", () => stop(""));
  request.addEventListener("error", () => stop(words.broken));
  request.addEventListener("load", () => {
    const leads = request.status < 300 && new URL(request.responseURL).href !== new URL(form.action).href;
    if (leads) { location.assign(request.responseURL); return; }
    document.open();
    document.write(request.responseText);
    document.close();
  });
  request.open("POST", form.action);
  request.setRequestHeader("Accept", "text/html");
  request.send(body);
}
