/** Where the page starts. */
import { App } from "./app.js";
import { readPage } from "./data.js";

async function start() {
  const { content, panes } = await readPage();
  const root = /** @type {HTMLElement} */ (document.getElementById("app"));
  const app = new App(root, content, panes);
  root.append(app.main);
  document.documentElement.classList.add("running");
  return app;
}

/** For tests, and for whoever embeds the page: the running page, once it is there. */
Object.assign(window, { landscape: start() });
