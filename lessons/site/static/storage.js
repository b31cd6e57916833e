// Storage that is full or off would stop the theme's scripts, and with them its menus: they go on, and nothing is kept.
for (const name of ["localStorage", "sessionStorage"]) {
  try {
    window[name].getItem("");
  } catch {
    Object.defineProperty(window, name, { value: { getItem: () => null, setItem() {}, removeItem() {} } });
  }
}
const { setItem } = Storage.prototype;
Storage.prototype.setItem = function (key, text) {
  try {
    setItem.call(this, key, text);
  } catch {} // kept.js looks whether it is there
};
