// The interpreter, in a thread of its own: it loads Pyodide and the library, then runs what the page asks for.
const LIBRARY = "/lib/python3.14";
const PLACE = LIBRARY + "/site-packages";
const BEFORE_KEEPING = 3000; // milliseconds after a first figure
let root, pyodide, kernel, threads, grader, playground, note, unkept, documented, loaded = new Set();

const say = (kind, rest = {}) => self.postMessage({ kind, ...rest });

// Of a part of itself that does not come, Pyodide tells nobody, and waits for ever.
const words = (error) => String(error?.message ?? error);
const broken = (error) => say("broken", { text: words(error) });
self.addEventListener("unhandledrejection", (event) => {
  if (!kernel) event.preventDefault(), broken(event.reason);
});
const { instantiateStreaming } = WebAssembly;
WebAssembly.instantiateStreaming = (...given) =>
  instantiateStreaming(...given).catch((error) => {
    broken(error);
    throw error;
  });

async function fetched(address) {
  const answer = await fetch(address);
  if (!answer.ok) throw new Error(`${address} gives ${answer.status}`);
  return answer;
}

// Two things of a first visit are kept beside the pages for the next: all packages as they were unpacked and compiled, and
// an image of the memory of an interpreter that has begun, which takes the place of its beginning.
// Where there is no such store, as with plain http or storage that is off, each visit is a first one.
const store = async () => caches.open("minigpt-" + note.version);

async function keep(name, body) {
  await store().then((cache) => cache.put(root + name, new Response(body))).catch(() => {});
}

function keepForNextVisit() {
  if (!unkept || !loaded.size) return;
  unkept = false;
  keep("_packages", packed());
  const modules = kernel.standard_modules().toJs();
  setTimeout(() => {
    const maker = new Worker(self.location.href, { type: "module" });
    maker.onerror = (event) => event.preventDefault(); // then the next visit begins as this one did
    maker.onmessage = () => maker.terminate(); // likewise
    maker.postMessage({ job: "image", root, modules });
  }, BEFORE_KEEPING);
}

// Every file of the packages in one: the length of a list, the list of paths and sizes, the files.
function packed() {
  const { FS } = pyodide, list = [], parts = [];
  const walk = (folder) => {
    for (const name of FS.readdir(folder)) {
      const path = folder + "/" + name;
      if ([".", "..", "tests"].includes(name)) continue;
      if (FS.isDir(FS.stat(path).mode)) walk(path);
      else list.push([path, parts[parts.push(FS.readFile(path)) - 1].length]);
    }
  };
  walk(PLACE);
  const head = new TextEncoder().encode(JSON.stringify(list));
  return new Blob([new Uint32Array([head.length]), head, ...parts]);
}

function unpack(buffer) {
  const start = 4 + new Uint32Array(buffer, 0, 1)[0];
  let at = start, folder = "";
  for (const [path, size] of JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, start - 4)))) {
    const above = path.slice(0, path.lastIndexOf("/"));
    if (above !== folder) pyodide.FS.mkdirTree((folder = above));
    pyodide.FS.writeFile(path, new Uint8Array(buffer, at, size), { canOwn: true });
    at += size;
  }
}

// In a worker of its own: an interpreter that imports the standard library's part, before any package is there.
async function keepImage({ root: place, modules }) {
  root = place;
  note = await (await fetched(root + "minigpt.json")).json();
  const python = await start({ _makeSnapshot: true });
  python.globals.set("modules", python.toPy(modules));
  python.runPython("import importlib\nfor name in modules:\n    try:\n        importlib.import_module(name)\n    except Exception:\n        pass\ndel modules, name");
  await keep("_image", python.makeMemorySnapshot());
  self.close();
}

async function start(options) {
  const index = new URL(note.pyodide, root).href;
  const { loadPyodide } = await import(index + "pyodide.mjs");
  return loadPyodide({
    indexURL: index,
    checkIntegrity: note.pyodide.startsWith("http"), // of a site with everything in it, the build has compared them
    env: { HOME: "/home/pyodide", MPLBACKEND: "module://page_inline", MPLCONFIGDIR: PLACE + "/_fonts", MINIGPT_HOME: "/home/pyodide/cache" },
    ...options,
  });
}

async function begin({ root: place, interrupts }) {
  root = place;
  say("progress", { text: "fetching the interpreter" });
  note = await (await fetched(root + "minigpt.json")).json();
  const cache = await store().catch(() => null);
  const [known, image] = [await cache?.match(root + "_packages"), await cache?.match(root + "_image")];
  unkept = cache && !(known && image);
  const library = known ? known.arrayBuffer() : fetched(root + "_static/minigpt.zip").then((answer) => answer.arrayBuffer());
  pyodide = await start({ packages: known ? [] : note.packages, _loadSnapshot: image?.arrayBuffer() });
  if (!known) need(note.packages);
  if (interrupts) pyodide.setInterruptBuffer(interrupts);
  say("progress", { text: "unpacking the library" });
  if (known) {
    unpack(await library);
    note.later.forEach((name) => loaded.add(name)); // only a visit with a figure keeps packages
  } else pyodide.unpackArchive(await library, "zip", { extractDir: PLACE });
  pyodide.runPython("import importlib; importlib.invalidate_caches()");
  threads = pyodide.pyimport("page_threads");
  threads.install();
  kernel = pyodide.pyimport("page_kernel");
  kernel.begin(Boolean(known));
  say("ready", { seconds: performance.now() / 1000 });
  if (known) turn = turn.then(() => pyodide.runPython("import matplotlib.pyplot")); // it lies ready, nobody waits for it yet
}

// The packages with all that they need. Pyodide goes on without one that did not come, and so would every later try.
const withNeeds = (names) => names.flatMap((name) => [name, ...withNeeds(pyodide.lockfile.packages[name].depends)]);

function need(names, remedy = "") {
  const missing = withNeeds(names).filter((name) => !(pyodide.lockfile.packages[name].name in pyodide.loadedPackages));
  if (missing.length) throw new Error(`${missing.join(", ")} did not come${remedy}`);
}

// What the lessons read of Python's own documentation: the docstrings of its library, and chapters that Pyodide leaves out.
async function bringDocumentation() {
  const chapters = await fetched(root + "_static/chapters.zip").then((answer) => answer.arrayBuffer()).catch(() => {
    throw new Error("the chapters of Python's documentation did not come. Look at the network, then try again.");
  });
  kernel.unpack_standard_library();
  pyodide.unpackArchive(chapters, "zip", { extractDir: LIBRARY });
  pyodide.runPython("import importlib; importlib.invalidate_caches()");
  documented = true;
}

// matplotlib is large, so it is fetched by the first cell that asks for it.
async function bring(source) {
  if (/launch|parallel|ranks?\b|comm\b/i.test(source)) threads.let_ranks_take_turns();
  if (/grade|assemble/.test(source)) (grader ??= pyodide.pyimport("page_grade")).install();
  if (!documented && /pydocs|stdlib|load_corpus/.test(source)) await bringDocumentation();
  const wanted = /matplotlib|plots?_|minigpt\.plot|\bshow\(/.test(source) ? note.later : [];
  const missing = wanted.filter((name) => !loaded.has(name));
  if (!missing.length) return;
  say("progress", { text: "fetching " + missing.join(", ") });
  await pyodide.loadPackage(withNeeds(missing), { messageCallback: () => {}, errorCallback: (text) => say("progress", { text }) });
  need(missing, ". Look at the network, then try again.");
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

async function work(data) {
  try {
    if (data.job === "begin") return await begin(data);
    if (data.job === "image") return await keepImage(data);
    const emit = (kind, text, alt) => say("output", { id: data.id, output: { kind, text, alt } });
    const result = await jobs[data.job](data, emit);
    say("done", { id: data.id, result });
    keepForNextVisit();
  } catch (error) {
    if (data.job === "begin") broken(error);
    else say("failed", { id: data.id, text: words(error) });
  }
}

// One after another: while ranks take turns, nothing else may enter the interpreter, whose stack they share.
let turn = Promise.resolve();
self.onmessage = ({ data }) => (turn = turn.then(() => work(data)));
