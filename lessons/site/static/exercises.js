// The exercises at the end of a lesson: an editor with the stub, "grade", and what the grader says.
import { button, element, show } from "./output.js";
import { NOT_KEPT, follow, forget, read, write } from "./kept.js";

const LIMIT = 10; // seconds that one call may take, as in `minigpt grade`

export function equip(place, interpreter) {
  const stub = place.querySelector(".stub");
  const original = stub.textContent;
  const lesson = place.dataset.lesson;
  const key = "minigpt exercise " + lesson;
  const editor = element("textarea", {
    class: "exercise-editor", "aria-label": "Your answer, as Python", spellcheck: "false", autocapitalize: "off",
    rows: String(Math.min(40, original.split("\n").length + 2)), wrap: "off",
  });
  editor.value = read(key) ?? original;
  editor.addEventListener("input", () => write(key, editor.value) || (status.textContent = NOT_KEPT));
  follow(key, (text) => (editor.value = text ?? original));
  const status = element("span", { class: "run-status", role: "status" });
  const output = element("div", { class: "cell-live", "aria-live": "polite" });

  let grading = false;

  async function grade() {
    if (grading) return;
    grading = true;
    delete place.dataset.graded;
    output.replaceChildren();
    status.textContent = "grading";
    const { told } = interpreter;
    interpreter.told = (text) => (status.textContent = text || "grading");
    let asked = null, timer;
    const watch = (output_) => {
      if (output_.kind !== "asked") return show(output, output_);
      clearTimeout(timer);
      asked = output_.text;
      if (asked) timer = setTimeout(() => interpreter.end(`${asked} took longer than ${LIMIT} seconds and was stopped; does a loop never end?`), 1000 * LIMIT);
    };
    try {
      const passed = await interpreter.ask("grade", { name: `exercises/${lesson}.py`, source: editor.value, lesson }, watch);
      status.textContent = passed ? "all passed" : "not all passed yet";
      place.dataset.graded = passed ? "passed" : "failed";
    } catch (error) {
      show(output, { kind: "error", text: error.message });
      status.textContent = "stopped";
      place.dataset.graded = "stopped";
    }
    clearTimeout(timer);
    interpreter.told = told;
    grading = false;
  }

  editor.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) event.preventDefault(), grade();
  });
  const buttons = element("div", { class: "cell-buttons", role: "group", "aria-label": "Exercise" },
    button("grade", "Grade this file (Control and Enter)", grade),
    button("reset", "The stub as it was; what you wrote is lost", () => {
      editor.value = original;
      forget(key);
      output.replaceChildren();
      status.textContent = "";
    }),
    button("stop", "Stop the grading", () => interpreter.end("stopped")),
    status);
  stub.hidden = true;
  stub.after(editor, buttons, output);
}
