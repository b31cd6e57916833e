// The interpreter, in a thread of its own: it loads Pyodide and the library, then runs what the page asks for.
const PLACE = "/lib/python3.14/site-packages";
let root, fresh, pyodide, kernel, threads, grader, playground, packages, loaded = new Set();

const say = (kind, rest = {}) => self.postMessage({ kind, ...rest });

// What Python compiled on the first visit is kept beside the pages, which halves the imports of the next.
const kept = async () => (await caches.open("minigpt-" + packages.version));

async function keepCompiled() {
  if (!fresh || !loaded.size) return;
  fresh = false;
  const archive = kernel.compiled().toJs();
  await (await kept()).put(root + "_compiled", new Response(archive)).catch(() => {});
}

async function begin({ root: place, interrupts }) {
  root = place;
  const note = await (await fetch(root + "minigpt.json")).json();
  const index = new URL(note.pyodide, root).href;
  say("progress", { text: "fetching the interpreter" });
  const library = fetch(root + "_static/minigpt.zip").then((answer) => answer.arrayBuffer());
  packages = note;
  const compiled = self.caches && (await (await kept()).match(root + "_compiled"));
  fresh = !compiled && Boolean(self.caches);
  if (compiled) packages.later.forEach((name) => loaded.add(name)); // whoever drew before will draw again
  const { loadPyodide } = await import(index + "pyodide.mjs");
  pyodide = await loadPyodide({
    indexURL: index,
    packages: [...note.packages, ...loaded],
    checkIntegrity: note.pyodide.startsWith("http"), // of a site with everything in it, the build has compared them
    env: { HOME: "/home/pyodide", MPLBACKEND: "module://page_inline", MPLCONFIGDIR: PLACE + "/_fonts", MINIGPT_HOME: "/home/pyodide/cache" },
  });
  if (interrupts) pyodide.setInterruptBuffer(interrupts);
  say("progress", { text: "unpacking the library" });
  pyodide.unpackArchive(await library, "zip", { extractDir: PLACE });
  if (compiled) pyodide.unpackArchive(await compiled.arrayBuffer(), "zip", { extractDir: PLACE });
  threads = pyodide.pyimport("page_threads");
  threads.install();
  kernel = pyodide.pyimport("page_kernel");
  kernel.begin(PLACE, Boolean(compiled));
  say("ready", { seconds: performance.now() / 1000 });
}

// matplotlib is large, so it is fetched by the first cell that asks for it.
async function bring(source) {
  if (/launch|parallel|ranks?\b|comm\b/i.test(source)) threads.let_ranks_take_turns();
  if (/grade|assemble/.test(source)) (grader ??= pyodide.pyimport("page_grade")).install();
  if (/pydocs|stdlib|load_corpus/.test(source)) kernel.unpack_standard_library();
  const wanted = /matplotlib|plots?_|minigpt\.plot|\bshow\(/.test(source) ? packages.later : [];
  const missing = wanted.filter((name) => !loaded.has(name));
  if (!missing.length) return;
  say("progress", { text: "fetching " + missing.join(", ") });
  await pyodide.loadPackage(missing, { messageCallback: () => {}, errorCallback: (text) => say("progress", { text }) });
  missing.forEach((name) => loaded.add(name));
}

const jobs = {
  async cell({ page, cell, source, quick }, emit) {
    await bring(source);
    // With stack switching, ranks can take turns (page_threads.py).
    if (!("Suspending" in WebAssembly)) return kernel.run_cell(page, cell, source, emit, quick);
    return await kernel.run_cell.callPromising(page, cell, source, emit, quick);
  },
  async forget({ page }) {
    kernel.forget(page);
    return true;
  },
  async grade({ name, source, lesson, seed }, emit) {
    grader ??= pyodide.pyimport("page_grade");
    const [passed, text] = grader.grade(name, source, lesson, seed ?? undefined, emit).toJs();
    emit("text", text + "\n", "");
    return passed;
  },
  async play({ what, settings, files }, emit) {
    playground ??= pyodide.pyimport("page_playground");
    if (what === "figure") await bring("matplotlib");
    for (const [name, bytes] of Object.entries(files ?? {})) {
      pyodide.FS.mkdirTree("/home/pyodide/given/" + name.split("/").slice(0, -1).join("/"));
      pyodide.FS.writeFile("/home/pyodide/given/" + name, new Uint8Array(bytes));
    }
    return JSON.parse(playground.answer(what, JSON.stringify(settings ?? {}), emit));
  },
};

self.onmessage = async ({ data }) => {
  try {
    if (data.job === "begin") return await begin(data);
    const emit = (kind, text, alt) => say("output", { id: data.id, output: { kind, text, alt } });
    const result = await jobs[data.job](data, emit);
    say("done", { id: data.id, result });
    await keepCompiled();
  } catch (error) {
    const text = String(error.message ?? error);
    say(data.job === "begin" ? "broken" : "failed", { id: data.id, text });
  }
};
