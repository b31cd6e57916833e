// Every code cell of a lesson gets buttons, can be changed, and shows below itself what it gives.
import { button, element, show } from "./output.js";
import { NOT_KEPT, follow, forget, read, write } from "./kept.js";

const PAGE = location.pathname.split("/").pop().replace(".html", "");
const QUICK_WORDS = "in quick mode: small, so its numbers are not those of the text";
const AFTER_QUICK = "after cells in quick mode, so its numbers may not be those of the text";
const small = new Set(); // cells whose last run was quick, which later ones may build upon

export function equip(interpreter, exercises) {
  const cells = [...document.querySelectorAll("div.cell[id]")].map((place, number) => new Cell(place, number, interpreter));
  if (!cells.length && !exercises) return;
  const full = element("input", { type: "checkbox", id: "in-full" });
  const status = element("span", { role: "status", "aria-live": "polite", class: "run-status" });
  let all = false;
  interpreter.told = (text) => { // beside the button that was pressed, which may be far below the bar
    const one = all ? null : cells.find((cell) => cell.running);
    if (one) one.say(text || "running");
    else status.textContent = text;
  };
  const runAll = async () => {
    all = true;
    for (const cell of cells) if (!(await cell.run(full.checked))) break;
    all = false;
  };
  const stop = button("stop", "Stop what is running", () => interpreter.stop());
  const bar = element("div", { class: "run-bar", role: "toolbar", "aria-label": "Run this page" });
  if (cells.length) {
    bar.append(button("run all", "Run every cell from top to bottom", runAll));
    bar.append(element("label", { for: "in-full", title: "As long as on paper; slow in a browser" }, full, " in full, slow"));
  }
  bar.append(stop, status);
  (document.querySelector("article h1") ?? document.querySelector("article")).after(bar);
  for (const cell of cells) {
    cell.equip(async () => cell.run(full.checked), async () => {
      for (const one of cells) {
        if (!(one === cell || one.fresh) && !(await one.run(full.checked))) return;
        if (one === cell) return void (await one.run(full.checked));
      }
    });
  }
  // Whoever goes into a cell is likely to run it.
  cells.forEach((cell) => cell.code.addEventListener("focus", () => interpreter.begin().catch(() => {}), { once: true }));
  document.addEventListener("interpreter-ended", () => {
    small.clear();
    cells.forEach((cell) => (cell.fresh = false));
  });
  window.runAllCells = runAll; // for tests, and for whoever likes the console
}

class Cell {
  constructor(place, number, interpreter) {
    Object.assign(this, { place, number, interpreter, fresh: false });
    this.code = place.querySelector(".cell_input pre");
    this.original = this.code.innerHTML;
    this.was = this.code.textContent;
    this.key = `minigpt cell ${PAGE} ${number}`;
  }

  // What a reader changed is there again after a reload, unless the lesson itself has changed.
  adopt(kept, words) {
    const { was, now } = JSON.parse(kept ?? "{}");
    if (was === this.was) this.code.textContent = now;
    else this.code.innerHTML = this.original;
    this.say(was === this.was ? words : "");
  }

  say(words) {
    if (this.status.textContent !== words) this.status.textContent = words; // or it would be read out again
  }

  equip(run, toHere) {
    this.code.setAttribute("contenteditable", "true");
    Object.entries({ spellcheck: "false", role: "textbox", "aria-multiline": "true", autocapitalize: "off" }).forEach(
      ([key, value]) => this.code.setAttribute(key, value));
    this.code.setAttribute("aria-label", `Code of cell ${this.number + 1}; Shift and Enter runs it`);
    this.code.tabIndex = 0;
    this.code.addEventListener("keydown", (event) => {
      event.stopPropagation(); // to the page, / means search
      if (event.key === "Enter" && event.shiftKey) event.preventDefault(), run();
    });
    this.code.addEventListener("paste", (event) => {
      event.preventDefault();
      document.execCommand("insertText", false, event.clipboardData.getData("text/plain"));
    });
    this.status = element("span", { class: "run-status", role: "status" });
    const name = `cell ${this.number + 1}`;
    this.stop = button("stop", `Stop ${name}`, () => this.interpreter.stop());
    this.stop.hidden = true;
    const buttons = element("div", { class: "cell-buttons", role: "group", "aria-label": name },
      button("run", `Run ${name} (Shift and Enter in it)`, run),
      button("run to here", `Run what has not run above, then ${name}`, toHere),
      button("reset", `The code and output of ${name} as they were`, () => this.reset()),
      this.stop,
      this.status);
    this.output = element("div", { class: "cell-live", "aria-live": "off" });
    const input = this.place.querySelector(".cell_input");
    input.after(buttons, this.output);
    this.code.addEventListener("input", () => write(this.key, JSON.stringify({ was: this.was, now: this.source })) || this.say(NOT_KEPT));
    const kept = read(this.key);
    if (kept) this.adopt(kept, "as you changed it");
    follow(this.key, (text) => this.adopt(text, "as you changed it in another tab"));
  }

  get source() {
    return this.code.innerText.replaceAll("\u00a0", " ");
  }

  reset() {
    this.code.innerHTML = this.original;
    forget(this.key);
    this.output.replaceChildren();
    this.status.textContent = "";
    this.place.classList.remove("has-live");
  }

  // A second tap while it runs is no second run, whose output would follow that of the first.
  run(full) {
    return (this.running ??= this.runOnce(full).finally(() => (this.running = null)));
  }

  async runOnce(full) {
    if (this.place.classList.contains("elsewhere")) {
      this.status.textContent = "left out: see the note above";
      this.place.dataset.ran = "well";
      return (this.fresh = true);
    }
    this.output.replaceChildren();
    this.place.classList.add("has-live");
    this.status.textContent = "running";
    const began = performance.now(), { begun } = this.interpreter;
    this.stop.hidden = false;
    const request = { page: PAGE, cell: `cell ${this.number + 1}`, source: this.source, quick: !full };
    if (!full && /quick\(\)|STEPS|SEEDS|\bfit\(|train\w*\(/.test(request.source)) small.add(this);
    else small.delete(this);
    try {
      const well = await this.interpreter.ask("cell", request, (output) => show(this.output, output));
      const seconds = ((performance.now() - began) / 1000).toFixed(1);
      const words = small.has(this) ? ", " + QUICK_WORDS : small.size ? ", " + AFTER_QUICK : "";
      this.status.textContent = `${well ? "ran" : "ended with an error"} after ${seconds} s${words}`;
      this.place.dataset.ran = well ? "well" : "badly";
      return (this.fresh = well);
    } catch (error) {
      show(this.output, { kind: "error", text: error.message });
      this.status.textContent = begun && !this.interpreter.begun ? "the interpreter begins anew, without what was computed: use run to here" : "not finished";
      this.place.dataset.ran = "badly";
      return false;
    } finally {
      this.stop.hidden = true;
    }
  }
}
