// Formulas as pictures, each with its MathML for screen readers: a line of JSON in, [TeX, whether it stands by itself], and
// one out, {html} or {error}. MathJax lies in the folder that the first argument names.
const lines = require("readline").createInterface({ input: process.stdin });

require(process.argv[2] + "/es5/node-main.js")
  .init({ loader: { load: ["input/tex", "output/svg"] }, svg: { fontCache: "none" } }) // none: no formula needs another
  .then((MathJax) => {
    const { adaptor } = MathJax.startup;
    const typeset = (tex, display) => {
      const picture = adaptor.outerHTML(MathJax.tex2svg(tex, { display }));
      const error = /data-mjx-error="([^"]*)"/.exec(picture);
      if (error) return { error: error[1] };
      const mathml = MathJax.tex2mml(tex, { display }).replace(/\n\s*/g, "");
      const html = picture
        .replace(' role="img"', ' aria-hidden="true"')
        .replace(/ (data-mml-node|data-c|data-mjx-texclass)="[^"]*"/g, "")
        .replace("</mjx-container>", `<mjx-assistive-mml>${mathml}</mjx-assistive-mml></mjx-container>`);
      return { html };
    };
    lines.on("line", (line) => console.log(JSON.stringify(typeset(...JSON.parse(line)))));
  });
