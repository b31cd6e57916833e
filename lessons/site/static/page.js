// What a page of the site does once it is shown: buttons for its cells, editors for its exercises.
import { Interpreter } from "./interpreter.js";
import { equip as equipCells } from "./cells.js";
import { equip as equipExercise } from "./exercises.js";

const interpreter = new Interpreter();
const exercise = document.querySelector("section.exercise");
equipCells(interpreter, exercise);
if (exercise) equipExercise(exercise, interpreter);
for (const block of document.querySelectorAll("article pre, article table, div.math")) block.tabIndex = 0; // they scroll

const playground = document.getElementById("playground");
if (playground) (await import("./playground.js")).equip(playground, interpreter);

if ("serviceWorker" in navigator && location.protocol.startsWith("http")) {
  navigator.serviceWorker.register(new URL("../service.js", import.meta.url)).catch(() => {});
}
window.interpreter = interpreter;
