// Keeps what was fetched, so that the site works without a network, and lets pages share memory with their interpreter.
const KEPT = "minigpt-VERSION";
const HERE = new URL("./", self.location).href;

self.addEventListener("install", (event) => event.waitUntil(self.skipWaiting()));

self.addEventListener("activate", (event) => event.waitUntil((async () => {
  for (const name of await caches.keys()) if (name.startsWith("minigpt-") && name !== KEPT) await caches.delete(name);
  await self.clients.claim();
  const note = await (await fetch(HERE + "minigpt.json")).json();
  const cache = await caches.open(KEPT);
  // One after another, so that what a reader asks for comes first.
  for (const name of ["", ...note.kept, "minigpt.json"]) {
    const address = HERE + name;
    if (!(await cache.match(address))) await cache.add(address).catch(() => {});
  }
})()));

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
    const cache = await caches.open(KEPT);
    const kept = await cache.match(address);
    if (kept) return address.endsWith(".wasm") || address.endsWith(".whl") ? kept : isolated(kept);
    const answer = await fetch(event.request);
    if (answer.ok && (address.startsWith(HERE) || address.includes("/pyodide/"))) event.waitUntil(cache.put(address, answer.clone()));
    return isolated(answer);
  })());
});
