// Keeps a page up to date: asks for the same page again and exchanges what has changed. Pages work without it.
"use strict";
(() => {
  const EVERY = 3000;
  const region = document.getElementById("live");
  for (const time of document.querySelectorAll("time")) localise(time);
  if (!region) return;

  const tools = document.getElementById("updates");
  const updated = document.getElementById("updated");
  const pause = document.getElementById("pause");
  const said = document.getElementById("said");
  let paused = false;
  let asking = false;

  tools.hidden = false;
  updated.textContent = "Live";
  pause.addEventListener("click", () => {
    paused = !paused;
    pause.setAttribute("aria-pressed", String(paused));
    updated.textContent = paused ? "Paused" : "Live";
  });

  function localise(time) {
    const at = new Date(time.dateTime);
    if (!Number.isNaN(at.getTime())) time.title = at.toLocaleString() + " here";
  }

  // What names a thing on the page, so that it is found again after an exchange.
  function nameOf(element) {
    return element.id || element.getAttribute("href") || element.getAttribute("name") || element.parentElement.id;
  }

  function exchange(fresh) {
    const held = region.contains(document.activeElement) ? nameOf(document.activeElement) : null;
    const opened = [...region.querySelectorAll("details[open]")].map((it) => it.id);
    const scrolled = [...region.querySelectorAll(".scroll")].map((it) => it.scrollLeft);
    region.replaceChildren(...fresh.childNodes);
    for (const details of region.querySelectorAll("details")) details.open ||= opened.includes(details.id);
    region.querySelectorAll(".scroll").forEach((it, place) => { it.scrollLeft = scrolled[place] ?? 0; });
    for (const time of region.querySelectorAll("time")) localise(time);
    if (held) {
      const again = [...region.querySelectorAll("a, button, input, select, summary")].find((it) => nameOf(it) === held);
      if (again) again.focus({ preventScroll: true });
    }
    if (fresh.dataset.summary !== region.dataset.summary) {
      region.dataset.summary = fresh.dataset.summary;
      said.textContent = fresh.dataset.summary;
    }
  }

  async function update() {
    if (paused || asking || document.hidden) return;
    asking = true;
    try {
      const answer = await fetch(location.href, { headers: { "Baton-Live": "1" }, cache: "no-store", redirect: "manual" });
      if (answer.type === "opaqueredirect") return location.reload();
      if (!answer.ok) throw new Error(String(answer.status));
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = page.getElementById("live");
      // A selection would be lost: somebody is copying an id.
      const selecting = !getSelection().isCollapsed && region.contains(getSelection().anchorNode);
      if (fresh && !paused && !selecting && fresh.innerHTML !== region.dataset.seen) {
        region.dataset.seen = fresh.innerHTML;
        exchange(fresh);
      }
      updated.textContent = paused ? "Paused" : "Live";
    } catch {
      updated.textContent = "No answer since " + (updated.dataset.since ||= new Date().toLocaleTimeString());
      return;
    } finally {
      asking = false;
    }
    delete updated.dataset.since;
  }

  setInterval(update, EVERY);
  document.addEventListener("visibilitychange", update);
})();
