// Runs every audit of the package graphql-http against a server: node audits.mjs <folder of the packages> <url> <token>
// One line for each: its name, `ok` or what else came of it, and why, with tabs between.
import { createRequire } from "node:module";

const [folder, url, token] = process.argv.slice(2);
const { serverAudits } = createRequire(`${folder}/`)("graphql-http");
const known = (address, options) => {
  const headers = { ...options?.headers, authorization: `Bearer ${token}` };
  return fetch(address, { ...options, headers });
};
for (const audit of serverAudits({ url, fetchFn: known })) {
  const { status, reason } = await audit.fn();
  console.log([audit.id, status, audit.name, reason ?? ""].join("\t").replaceAll("\n", " "));
}
