// What a page of the site does once it is shown: buttons for its cells, editors for its exercises.
import "./wake.js";
import { equip as equipCells } from "./cells.js";
import { equip as equipExercise } from "./exercises.js";
import { element } from "./output.js";

const interpreter = window.interpreter;
const exercise = document.querySelector("section.exercise");
equipCells(interpreter, exercise);
if (exercise) equipExercise(exercise, interpreter);
for (const block of document.querySelectorAll("article pre, article table, div.math")) block.tabIndex = 0; // they scroll

const playground = document.getElementById("playground");
if (playground) {
  await import("./playground.js").then(({ equip }) => equip(playground, interpreter), () =>
    playground.querySelector("#play-status").append("The script of this page did not come, so its buttons do nothing; look at the network, then reload."));
}

// The theme calls its menus "Toggle primary sidebar" and so on, which says nothing of what is in them.
for (const [which, words] of [["primary", "Contents of the course"], ["secondary", "Contents of this page"]]) {
  const menu = document.querySelector(`.${which}-toggle`);
  menu?.setAttribute("aria-label", words);
  menu?.setAttribute(menu.title ? "title" : "data-bs-original-title", words);
}

// Whoever chose a place of this page in a menu that lies over it wants to see that place.
for (const over of document.querySelectorAll("dialog")) {
  over.addEventListener("click", ({ target }) => target.closest("a[href^='#']") && over.close());
}

// Paper is white.
const { dataset } = document.documentElement;
let theme;
addEventListener("beforeprint", () => ([theme, dataset.theme] = [dataset.theme, "light"]));
addEventListener("afterprint", () => (dataset.theme = theme));

// A found page's summary is of its text, without the buttons and contents around it.
if (typeof Search !== "undefined") {
  Search.htmlToText = (text, anchor) => {
    const page = new DOMParser().parseFromString(text, "text/html");
    page.querySelectorAll(".headerlink, script, style").forEach((one) => one.remove());
    return ((anchor && page.querySelector("article " + anchor)) || page.querySelector("article"))?.textContent ?? "";
  };
}

// Once the page is shown, the whole site is fetched and kept; the foot of the page says when it needs no network.
if ("serviceWorker" in navigator && location.protocol.startsWith("http")) {
  navigator.serviceWorker.addEventListener("message", ({ data }) => {
    if (!data.kept || document.querySelector(".kept-note")) return;
    document.querySelector(".bd-article")?.append(element("p", { class: "kept-note" }, "This browser keeps the whole site, which now works without a network."));
  });
  navigator.serviceWorker.register(new URL("../service.js", import.meta.url)).catch(() => {});
  navigator.serviceWorker.ready.then(({ active }) => active.postMessage("keep"));
}
