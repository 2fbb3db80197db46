/** Where the page starts. */
import { App } from "./app.js";
import { makeToolbar } from "./controls.js";
import { readPage } from "./data.js";
import { make } from "./dom.js";
import { closeDrawer, makeDrawer } from "./drawer.js";
import { captionOf, composePicture } from "./exporting.js";
import { makeSection, profiles } from "./section.js";
import { csvOf, pythonCall } from "./share.js";
import { similarityPanels, startAlone } from "./similarity.js";
import { addTabs } from "./tabs.js";

async function start() {
  const { content, panes, arrays } = await readPage();
  const root = /** @type {HTMLElement} */ (document.getElementById("app"));
  if (!panes.length) return startAlone(root, content, arrays);
  const app = new App(content, panes);
  followAddress(app);
  const middle = make("div", { class: "middle" }, app.main, makeDrawer(app));
  const embedded = new URLSearchParams(location.search).has("embed");
  root.append(
    ...(embedded ? [] : [makeToolbar(app)]), middle, makeSection(app), app.player.element,
    make("footer", {}, app.caption), app.live);
  if (!app.stage) root.prepend(make("p", { class: "notice" }, "This browser has no WebGL: the surfaces are shown from above, and as a picture below."));
  document.documentElement.classList.add("running", app.stage ? "solid" : "flat");
  document.documentElement.classList.toggle("embedded", embedded);
  const panels = embedded ? [] : similarityPanels(content, arrays, () => app.theme);
  if (panels.length) addTabs(root, "Landscape", panels);
  app.store.listen((changed) => changed.has("theme") && panels.forEach((panel) => panel.draw()));
  Object.assign(app, { panels, csv: () => csvOf(app), profiles: () => profiles(app, app.state.section ?? [0, 0, 0, 0]), pythonCall: () => pythonCall(app), picture: () => composePicture(app, 1, false), pictureCaption: () => captionOf(app) });
  window.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    if (app.state.drawer) closeDrawer(app);
    else {
      const inside = document.activeElement?.closest(".section");
      app.store.set({ section: null, pins: [] });
      if (inside) app.views[0].mapTop.focus();
    }
  });
  return app;
}

/**
 * The address says what is seen, so that a copied link shows the same.
 * @param {App} app
 */
function followAddress(app) {
  app.store.read(location.hash);
  let waiting = 0;
  app.store.listen(() => {
    clearTimeout(waiting);
    waiting = window.setTimeout(() => {
      const { hash } = app.store;
      try {
        history.replaceState(null, "", hash ? `#${hash}` : location.pathname + location.search);
      } catch {
        // A page inside another one may not change its address; everything else works.
      }
    }, 150);
  });
  window.addEventListener("hashchange", () => {
    if (location.hash.slice(1) !== app.store.hash) app.store.read(location.hash);
  });
}

/** For tests, and for whoever embeds the page: the running page, once it is there. */
Object.assign(window, { landscape: start() });
