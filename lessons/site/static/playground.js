// The playground: each part asks the interpreter one question at a time and draws the answer.
import { element } from "./output.js";

const TEXT = "the keys to the cabinet are old and the door of the houses is open.\n".repeat(3)
  + "the windows near the box are small, and the letter behind the doors is red.\n".repeat(3)
  + "what comes next depends on what came before, and on nothing that comes after.\n".repeat(3);
const AT_ONCE = 10; // steps between two looks
const MOST = 1e9; // bytes of a model's files; unpacked they take up to twice that, and an interpreter has 4 GiB

export function equip(place, interpreter) {
  const get = (name) => place.querySelector("#play-" + name);
  const value = (name) => get(name).value;
  let progress = get("status"); // later that beside the button that was pressed, which may be far below this one
  interpreter.told = (text) => (progress.textContent = text);
  get("text").value = TEXT;
  let going = false;

  async function ask(what, settings, files) {
    const answer = await interpreter.ask("play", { what, settings, files });
    if (answer.problem) throw new Error(answer.problem);
    return answer;
  }
  const on = (name, work) => {
    const [far, end] = [element("span"), element("span")];
    get(name).parentElement.append(element("span", { class: "run-status", role: "status" }, far, end));
    get(name).addEventListener("click", () => {
      progress.textContent = end.textContent = "";
      progress = far;
      work().then((words) => (end.textContent = words ?? ""), (error) => (end.textContent = error.message));
    });
  };
  const sampling = () => ({ prompt: value("prompt"), temperature: value("temperature"), top_k: value("top-k"), top_p: value("top-p"), whose: value("whose") });

  on("go", async () => {
    if (going) return;
    const settings = Object.fromEntries(["text", "layers", "width", "heads", "context", "steps", "rate", "mask"].map((name) => [name, value(name)]));
    const losses = [], held = [];
    going = true; // at once, so that a second click begins no second training
    try {
      const made = await ask("begin", settings);
      for (;;) {
        const began = performance.now();
        const seen = await ask("learn", { count: AT_ONCE, prompt: value("prompt") });
        losses.push(...seen.losses);
        held.push([seen.step, seen.held_out]);
        const each = Math.round((performance.now() - began) / Math.max(1, seen.losses.length));
        get("numbers").textContent = `${made.parameters.toLocaleString("en")} parameters, ${made.vocabulary} characters; step ${seen.step} of ${seen.total}, loss ${losses.at(-1).toFixed(2)}, held out ${seen.held_out.toFixed(2)}, guessing ${made.guessing.toFixed(2)}; ${each} ms a step`;
        get("sample").textContent = seen.sample;
        draw(get("loss"), losses, held, seen.total, made.guessing);
        heads(get("attention"), seen.attention, seen.pieces);
        if (!going || seen.step >= seen.total) return `trained for ${seen.step} steps`;
      }
    } finally {
      going = false;
    }
  });
  get("stop").addEventListener("click", () => {
    if (going) going = false; // after the steps that run now; the model stays
    else if (interpreter.busy) interpreter.end("stopped");
  });

  on("candidates", async () => {
    const { rows, kept, vocabulary } = await ask("candidates", sampling());
    const most = Math.max(...rows.flatMap((row) => [row.before, row.after]));
    const bar = (share) => element("span", { class: "bar", style: `--share: ${share / most}` });
    get("rows").replaceChildren(element("table", { class: "candidates", tabindex: "0" },
      element("caption", {}, `${kept} of ${vocabulary} tokens may be drawn`),
      element("thead", {}, element("tr", {}, ...["token", "as it is", "after the settings"].map((name) => element("th", { scope: "col" }, name)))),
      element("tbody", {}, ...rows.map((row) => element("tr", {},
        element("td", { class: row.after ? null : "left-out" }, element("code", {}, JSON.stringify(row.token))),
        element("td", {}, bar(row.before), " " + row.before.toFixed(3)),
        element("td", {}, bar(row.after), " " + row.after.toFixed(3)))))));
    return `the likeliest of ${rows.length}: ${JSON.stringify(rows[0].token)}`;
  });
  on("write", async () => void (get("written").textContent = value("prompt") + (await ask("write", sampling())).text));

  on("look", async () => {
    const { words, moved, leaking } = await ask("leaks", { text: value("words"), mask: value("which"), prefix: value("prefix") });
    const cell = (i, j) => {
      const leak = moved[i][j] && j === i + 1 && leaking.includes(i);
      return element("td", { class: leak ? "leak" : moved[i][j] ? "sees" : null }, leak ? "!" : moved[i][j] ? "x" : "");
    };
    get("seen").replaceChildren(element("table", { class: "leaks", tabindex: "0" },
      element("caption", {}, "A row's output moves when a column's word is changed: x. Where that word is the answer it is asked for: !"),
      element("thead", {}, element("tr", {}, element("td"), ...words.map((word) => element("th", { scope: "col" }, word.slice(0, 4))))),
      element("tbody", {}, ...words.map((word, i) => element("tr", {}, element("th", { scope: "row" }, word.slice(0, 6)), ...words.map((_, j) => cell(i, j)))))));
    get("leaking").textContent = leaking.length
      ? `${leaking.length} positions see the very word that they would be asked for: trained on the next token, this model would copy.`
      : "No position that is asked sees its answer.";
  });

  for (const name of ["file", "folder"]) {
    get(name).addEventListener("change", async () => {
      get("opened").textContent = "opening";
      try {
        const chosen = [...get(name).files];
        refuseTooLarge(chosen); // before any is read
        const names = chosen.map((file) => file.webkitRelativePath || file.name);
        const files = {};
        for (let i = 0; i < chosen.length; i++) files[names[i]] = await chosen[i].arrayBuffer();
        const opened = await ask("open", { names }, files);
        get("opened").textContent = `${opened.architecture}, ${opened.layers} layers of width ${opened.width}, ${opened.parameters.toLocaleString("en")} parameters`;
      } catch (error) {
        get("opened").textContent = error.message;
      }
    });
  }
  on("use", async () => void (get("used").textContent = (await ask("use", { text: value("ask") })).text));
  on("checked", async () => {
    const report = get("report");
    report.textContent = "";
    try {
      const { passed, text } = await ask("check", { source: value("source") });
      report.textContent = (passed ? "right\n" : "wrong\n") + text;
    } catch (error) {
      report.textContent = error.message;
    }
  });
}

function refuseTooLarge(files) {
  const size = files.reduce((sum, file) => sum + file.size, 0);
  const megabytes = (bytes) => Math.ceil(bytes / 1e6).toLocaleString("en") + " MB";
  const what = files.length === 1 ? `${files[0].name} has ${megabytes(size)}` : `these ${files.length.toLocaleString("en")} files have ${megabytes(size)}`;
  if (size > MOST) throw new Error(`${what}, and a page opens at most ${megabytes(MOST)}; choose one model, and a smaller one`);
}

function draw(svg, losses, held, total, guessing) {
  const top = Math.max(guessing, ...losses) * 1.05;
  const x = (step) => 30 + (280 * step) / Math.max(1, total);
  const y = (loss) => 165 - (150 * loss) / top;
  const line = (points, colour) => `<polyline fill="none" stroke="${colour}" stroke-width="1.5" points="${points.map(([a, b]) => `${x(a).toFixed(1)},${y(b).toFixed(1)}`).join(" ")}"/>`;
  svg.innerHTML = `<line x1="30" y1="165" x2="310" y2="165" stroke="#333"/><line x1="30" y1="10" x2="30" y2="165" stroke="#333"/>
    <line x1="30" x2="310" y1="${y(guessing)}" y2="${y(guessing)}" stroke="#666" stroke-dasharray="4"/>
    <text x="32" y="${y(guessing) - 3}" font-size="10" fill="#333">guessing</text>
    <text x="2" y="168" font-size="10" fill="#333">0</text><text x="2" y="18" font-size="10" fill="#333">${top.toFixed(1)}</text>
    ${line(losses.map((loss, step) => [step, loss]), "#0b5cad")}${line(held, "#b45309")}`;
  svg.setAttribute("aria-label", `Loss by step: ${losses[0].toFixed(2)} at first, ${losses.at(-1).toFixed(2)} after ${losses.length} steps, held out ${held.at(-1)[1].toFixed(2)}, guessing ${guessing.toFixed(2)}`);
}

function heads(place, layers, pieces) {
  const size = pieces.length, scale = Math.max(2, Math.floor(72 / size));
  place.replaceChildren(...layers.map((layer, l) => element("div", {}, ...layer.map((weights, h) => {
    const canvas = element("canvas", { width: size * scale, height: size * scale, title: `layer ${l}, head ${h}` });
    const pen = canvas.getContext("2d");
    weights.forEach((row, i) => row.forEach((weight, j) => {
      pen.fillStyle = `rgba(11, 92, 173, ${weight})`;
      pen.fillRect(j * scale, i * scale, scale, scale);
    }));
    return canvas;
  }))));
  const most = (weights) => JSON.stringify(pieces[weights.at(-1).indexOf(Math.max(...weights.at(-1)))]);
  place.setAttribute("aria-label", `Attention weights on the prompt. Where its last piece, ${JSON.stringify(pieces.at(-1))}, looks most: `
    + layers.flatMap((layer, l) => layer.map((weights, h) => `layer ${l}, head ${h}: ${most(weights)}`)).join("; "));
}
