// Keeps what was fetched, so that the site works without a network, and lets pages share memory with their interpreter.
const KEPT = "minigpt-VERSION";
const HERE = new URL("./", self.location).href;
const AT_ONCE = 3; // files fetched beside each other, so that what a reader asks for still comes first
let keeping = Promise.resolve();
let left = false; // whether something else is offered here now; opening what was forgotten would make it anew

self.addEventListener("install", (event) => event.waitUntil(self.skipWaiting()));

self.addEventListener("activate", (event) => event.waitUntil((async () => {
  await forget((name) => name !== KEPT);
  await self.clients.claim();
})()));

// Of this folder alone: other courses at the same address keep theirs.
async function forget(chosen) {
  for (const name of (await caches.keys()).filter((one) => one.startsWith("minigpt-") && chosen(one))) {
    const [first] = await (await caches.open(name)).keys();
    if (!first || first.url.startsWith(HERE)) await caches.delete(name);
  }
}

// Each page asks for it once it is shown: a visit that ended early is taken up by the next.
self.addEventListener("message", (event) => {
  if (event.data !== "keep") return;
  keeping = keeping.then(keepAll, keepAll); // one after another: each asks what is offered now
  event.waitUntil(keeping.then((all) => event.source.postMessage({ kept: all })));
});

// Whether all is there. The server is asked about each file, since a browser's own memory may hold an earlier site's.
async function keepAll() {
  const note = await fetch(new Request(HERE + "minigpt.json", { cache: "no-cache" })).catch(() => keptOf(HERE + "minigpt.json"));
  if (note?.status === 404) { // such as another folder at the same port
    left = true;
    await self.registration.unregister();
    await forget(() => true);
  }
  if (!note?.ok || left) return false;
  const cache = await caches.open(KEPT);
  const waiting = ["", ...(await note.json()).kept, "minigpt.json"];
  let all = true;
  const work = async () => {
    for (let name; (name = waiting.shift()) !== undefined;) {
      const address = HERE + name;
      if (await cache.match(address)) continue;
      await cache.add(new Request(address, { cache: "no-cache" })).catch(() => (all = false));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return all;
}

const keep = async (address, answer) => (await caches.open(KEPT)).put(address, answer);
const keptOf = (address) => caches.match(address, { cacheName: KEPT });

// A page that is isolated may share memory with its worker, which lets "stop" keep what was computed.
function isolated(answer) {
  if (answer.status === 0 || !answer.url.startsWith(HERE)) return answer;
  const headers = new Headers(answer.headers);
  headers.set("Cross-Origin-Opener-Policy", "same-origin");
  headers.set("Cross-Origin-Embedder-Policy", "require-corp");
  headers.set("Cross-Origin-Resource-Policy", "same-origin");
  return new Response(answer.body, { status: answer.status, statusText: answer.statusText, headers });
}

self.addEventListener("fetch", (event) => {
  if (event.request.method !== "GET") return;
  event.respondWith((async () => {
    const address = event.request.url.split(/[?#]/)[0];
    const kept = await keptOf(address);
    if (kept) return address.endsWith(".wasm") || address.endsWith(".whl") ? kept : isolated(kept);
    const answer = await fetch(event.request);
    if (answer.ok && !left && (address.startsWith(HERE) || address.includes("/pyodide/"))) event.waitUntil(keep(address, answer.clone()));
    return isolated(answer);
  })());
});
