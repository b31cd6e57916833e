// The page's interpreter. This is run before the page is whole: of whoever came back, the interpreter begins meanwhile.
import { Interpreter } from "./interpreter.js";

window.interpreter ??= new Interpreter();
if (/\/(\d\d_\w+|playground)(\.html)?$/.test(location.pathname)) window.interpreter.wake().catch(() => {});
