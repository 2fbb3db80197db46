/** Tabs between the landscape and what else a page holds; of one thing alone there are none. */
import { make } from "./dom.js";

/**
 * @param {HTMLElement} root  what is on the page; what stands in it is the first tab
 * @param {string} first  name of that
 * @param {Panel[]} panels  what the other tabs show
 */
export function addTabs(root, first, panels) {
  root.append(...panels.map((panel) => panel.element));
  const names = [first, ...panels.map((panel) => panel.name)];
  const buttons = names.map((name, k) => make("button", { type: "button", role: "tab", click: () => show(k) }, name));
  const show = (/** @type {number} */ chosen) => {
    root.classList.toggle("elsewhere", chosen > 0);
    panels.forEach((panel, k) => {
      panel.element.hidden = chosen !== k + 1;
      if (chosen === k + 1) panel.draw();
    });
    buttons.forEach((button, k) => {
      button.setAttribute("aria-selected", String(k === chosen));
      button.setAttribute("aria-pressed", String(k === chosen));
    });
  };
  root.querySelector(".toolbar h1")?.after(make("div", { class: "segments tabs", role: "tablist", "aria-label": "What is shown" }, ...buttons));
  root.querySelector(".toolbar")?.classList.add("tabbed");
  show(0);
}
