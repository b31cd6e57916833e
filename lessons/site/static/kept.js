// What a reader wrote, kept by the browser for the next visit. Where it keeps nothing, the page goes on and says so.
export const NOT_KEPT = "this browser does not keep what you write, as its storage is full or off: copy it before you leave";

export const read = (key) => localStorage.getItem(key);
export const forget = (key) => localStorage.removeItem(key);

// Whether it is kept.
export function write(key, text) {
  localStorage.setItem(key, text);
  return read(key) === text;
}

// Another tab with the same page writes in the same place, so each shows what was written last: no tab undoes another's.
export function follow(key, adopt) {
  addEventListener("storage", (event) => event.key === key && adopt(event.newValue));
}
