// What a page knows of its interpreter: it begins when it is first needed, and can be stopped and begun anew.
const ROOT = new URL("../", import.meta.url).href;

const SLOW = 15_000; // milliseconds after which somebody who waits is told that it may take longer

const refusal = (why) => new Error(`the interpreter could not be fetched: ${why}. Look at the network, then try again.`);

export class Interpreter {
  constructor(told = () => {}) {
    this.told = told; // told(text): how far it has come
    this.number = 0;
    this.waiting = new Map();
  }

  // Whoever had a figure drawn here before will run something again, so the interpreter begins with the page.
  async wake() {
    if (!self.caches || navigator.connection?.saveData) return;
    if (await caches.match(ROOT + "_image")) await this.begin();
  }

  begin() {
    if (this.ready) return this.ready;
    this.worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
    this.interrupts = self.crossOriginIsolated ? new Uint8Array(new SharedArrayBuffer(1)) : null;
    const worker = this.worker;
    this.ready = new Promise((resolve, reject) => {
      this.refuse = reject;
      this.worker.onmessage = ({ data }) => this.hear(data, resolve, reject);
      this.worker.onerror = (event) => {
        event.preventDefault();
        reject(refusal(event.message || "its script did not come"));
        this.end("the interpreter broke: " + event.message);
      };
    });
    const slow = setTimeout(() => this.told("still fetching the interpreter, which takes minutes on a slow network: wait, or stop and try again"), SLOW);
    this.ready.catch((error) => worker === this.worker && this.end(error.message)).finally(() => clearTimeout(slow));
    this.worker.postMessage({ job: "begin", root: ROOT, interrupts: this.interrupts });
    return this.ready;
  }

  hear(data, resolve, reject) {
    const job = this.waiting.get(data.id);
    if (data.kind === "progress") this.told(data.text);
    else if (data.kind === "ready") {
      this.told("");
      this.begun = true;
      resolve();
    } else if (data.kind === "broken") reject(refusal(data.text));
    else if (data.kind === "output") job?.emit(data.output);
    else if (job) {
      this.waiting.delete(data.id);
      if (this.interrupts) this.interrupts[0] = 0; // one that came too late
      this.told("");
      if (data.kind === "done") job.resolve(data.result);
      else job.reject(new Error(data.text));
    }
  }

  // Ask for something; emit gets each piece of output as it comes.
  async ask(job, request, emit = () => {}) {
    await this.begin();
    const id = ++this.number;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { emit, resolve, reject });
      this.worker.postMessage({ job, id, ...request });
    });
  }

  get busy() {
    return this.waiting.size > 0;
  }

  // Python's own interrupt where the page may share memory with its worker, which keeps what was computed; where it may
  // not, or that does not help within two seconds, or the interpreter has not begun yet, the worker is ended.
  stop(words = "stopped") {
    if (!this.interrupts || !this.begun) return this.end(words);
    const [running] = this.waiting.keys(); // of several the first, the others wait for their turn
    if (!running) return; // an interrupt now would hit what runs next
    this.interrupts[0] = 2;
    setTimeout(() => this.waiting.has(running) && this.end(words), 2000);
  }

  end(words) {
    this.worker?.terminate();
    this.ready = this.worker = this.begun = null;
    this.refuse?.(new Error(words)); // whoever still waits for it to begin
    this.told("");
    for (const job of this.waiting.values()) job.reject(new Error(words));
    this.waiting.clear();
    document.dispatchEvent(new CustomEvent("interpreter-ended"));
  }
}
