// Makes the files of this folder anew from the packages that package-lock.json names: node vendor/graphiql/renew.mjs
// npm checks each package against the lock, runs none of their scripts, and leaves nothing here. The same lock gives
// the same files, byte for byte, with the same node.
import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const here = fileURLToPath(new URL(".", import.meta.url));
const scratch = mkdtempSync(join(tmpdir(), "graphiql-"));
process.on("exit", () => rmSync(scratch, { recursive: true, force: true }));
for (const name of ["package.json", "package-lock.json"]) cpSync(join(here, name), join(scratch, name));
const quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
execFileSync("npm", ["ci", ...quiet], { cwd: scratch, stdio: "inherit" });
const packages = join(scratch, "node_modules");
const read = (path) => readFileSync(join(packages, path), "utf8");

// Sabir serves no source maps, and a browser that looks for one is told that there is none.
const script = (path) => read(path).replace(/\n?\/\/# sourceMappingURL=.*\n?$/, "\n");
// Of 411 kB, 360 are fonts for alphabets of many; the page has fonts of the reader's system in their place.
const style = read("graphiql/graphiql.min.css")
  .replace(/@font-face\s*\{[^}]*\}/g, "")
  .replace('"Roboto",sans-serif', "system-ui,sans-serif")
  .replace('"Fira Code",monospace', "ui-monospace,monospace");
const made = {
  "graphiql.min.js": script("graphiql/graphiql.min.js"),
  "graphiql.min.css": style,
  "react.production.min.js": script("react/umd/react.production.min.js"),
  "react-dom.production.min.js": script("react-dom/umd/react-dom.production.min.js"),
  "licences.txt": licences(),
};
for (const [name, text] of Object.entries(made)) {
  const packed = gzipSync(text, { level: 9 });
  packed[9] = 255; // The system that packed it is nobody's concern.
  writeFileSync(join(here, `${name}.gz`), packed);
  console.log(`${name}: ${text.length} bytes, ${packed.length} packed`);
}

// The terms of every package that is in the three scripts. What GraphiQL was bundled of, its source map says.
function licences() {
  const names = new Set(["react", "react-dom", "scheduler"]);
  const siblings = { "graphiql-react": "@graphiql/react", "graphiql-toolkit": "@graphiql/toolkit" };
  for (const source of JSON.parse(read("graphiql/graphiql.min.js.map")).sources) {
    const installed = source.split("node_modules/").at(-1).match(/^(@[^/]+\/)?[^/]+/)[0];
    if (source.includes("node_modules/")) names.add(installed);
    else if (source.startsWith("../../")) names.add(siblings[source.split("/")[2]] ?? source.split("/")[2]);
    else names.add("graphiql");
  }
  const free = ["MIT", "BSD-2-Clause", "0BSD"];
  const texts = new Map();
  for (const name of [...names].sort()) {
    const { license, author } = JSON.parse(read(`${name}/package.json`));
    if (!free.includes(license)) throw new Error(`${name} is under ${license}: may it be passed on?`);
    const file = readdirSync(join(packages, name)).find((file) => /^licen[cs]e/i.test(file));
    const who = author?.name ?? author;
    const text = file ? read(`${name}/${file}`) : `Its package has no text of the licence${who ? `; it is by ${who}` : ""}.`;
    const plain = text.replaceAll("\r", "").trim();
    texts.set(plain, [...(texts.get(plain) ?? []), `${name} (${license})`]);
  }
  const parts = [...texts].map(([text, names]) => `${names.join("\n")}\n\n${text}\n`);
  return `What is in the scripts of this page, and its terms.\n\n${parts.join(`\n${"-".repeat(80)}\n\n`)}`;
}
