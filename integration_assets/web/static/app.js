// Comfort only: every page works without it.
"use strict";

// Of an internal system's form, show the fields of the chosen way to authenticate.
const flow = document.getElementById("auth_flow");
if (flow) {
  const show = () => {
    for (const field of document.querySelectorAll("[data-flows]")) {
      field.hidden = !field.dataset.flows.split(" ").includes(flow.value);
    }
  };
  flow.addEventListener("change", show);
  show();
}

// Choosing a filter shows its result at once.
for (const form of document.querySelectorAll("form[data-instant]")) {
  for (const field of form.querySelectorAll("select, input[type=checkbox]")) {
    field.addEventListener("change", () => form.requestSubmit());
  }
}

// A day makes sense only with "on a day".
for (const day of document.querySelectorAll("input[type=date][name=expires_on]")) {
  day.addEventListener("input", () => {
    const choice = day.closest("fieldset").querySelector("input[value=day]");
    if (choice && day.value) choice.checked = true;
  });
}

// The code of a link stands behind the #, which is sent to nobody: from here it goes into the body of a form.
const code = document.querySelector("form[data-fragment] input");
if (code) {
  const send = () => {
    if (location.hash.length < 2) return;
    code.value = location.hash.slice(1);
    history.replaceState(null, "", location.pathname);
    code.form.requestSubmit();
  };
  window.addEventListener("hashchange", send);
  send();
}

// What is sent once is not sent twice.
document.addEventListener("submit", (event) => {
  if (event.target.method !== "post") return;
  if (event.target.dataset.sent) event.preventDefault();
  event.target.dataset.sent = "1";
});
window.addEventListener("pageshow", () => {
  for (const form of document.forms) delete form.dataset.sent;
});

// What somebody waits for is looked at again, as long as the page is in view.
if (document.querySelector("[data-waits]")) {
  setInterval(() => {
    if (document.hidden) return;
    const address = new URL(location.href);
    // What was done is told once; afterwards the list says how it goes on.
    if (!address.searchParams.has("done")) return location.reload();
    address.searchParams.delete("done");
    location.replace(address);
  }, 10_000);
}

// On a phone the menu is one line: where somebody is stands in view.
const here = document.querySelector(".top nav [aria-current]");
if (here) here.closest("nav").scrollLeft = here.offsetLeft - 16;

// After a refusal, go to the first field that is wrong.
const wrong = document.querySelector("[aria-invalid=true]");
if (wrong) wrong.focus();
