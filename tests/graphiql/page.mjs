// Uses the page as a reader does, in a browser without a window: node page.mjs <folder of the packages> <url> <token>
// What came of it is told as one object: what each step showed, every request, and everything that went wrong.
import { execFileSync } from "node:child_process";
import { createRequire } from "node:module";

const [folder, url, token] = process.argv.slice(2);
const { chromium } = createRequire(`${folder}/`)("playwright-core");
// It starts with a profile of its own, and asks for nothing by itself.
const browser = await chromium.launch({
  executablePath: execFileSync("which", ["chromium"], { encoding: "utf8" }).trim(),
  args: [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
  ],
});
const told = { requests: [], wrong: [] };
try {
  const page = await browser.newPage();
  page.setDefaultTimeout(120_000);
  page.on("request", (request) => told.requests.push(`${request.method()} ${request.url()}`));
  page.on("requestfailed", (request) => told.wrong.push(`${request.url()}: ${request.failure()?.errorText}`));
  page.on("pageerror", (error) => told.wrong.push(`${error}`));
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) told.wrong.push(message.text());
  });

  const answer = page.locator(".graphiql-response .CodeMirror-code");
  const shows = async (text) => {
    await answer.filter({ hasText: text }).waitFor();
    return (await answer.innerText()).replace(/\s+/g, " ");
  };
  const write = async (editor, text) => {
    await editor.filter({ visible: true }).click();
    await page.keyboard.press("Control+A");
    await page.keyboard.insertText(text);
  };
  const run = async (document, expected) => {
    await write(page.locator(".graphiql-query-editor .CodeMirror"), document);
    await page.keyboard.press("Control+Enter");
    return shows(expected);
  };
  const docs = page.locator(".graphiql-doc-explorer-content");
  const explains = async (field) => {
    const found = docs.filter({ hasText: field });
    await found.waitFor();
    return (await found.innerText()).replace(/\s+/g, " ");
  };

  await page.goto(url);
  await shows("Nothing was sent");
  const headers = page.locator(".graphiql-editor-tool .CodeMirror");
  await write(headers, JSON.stringify({ Authorization: `Bearer ${token}` }));
  // Who is asking is known now, so the schema comes by itself.
  await page.getByLabel("Show Documentation Explorer").click();
  await docs.getByText("RootMutationType").click();
  told.docs = await explains("deleteChatMessage");
  told.query = await run("{ myself { username } }", "username");
  const send = 'createChatMessage(channelId: 6, message: { message: "by the page" })';
  told.mutation = await run(`mutation { ${send} { message user { username } } }`, "createChatMessage");
  // Dialogs bring styles of their own, which the page's policy has to let pass.
  await page.getByLabel("Open settings dialog").click();
  await page.locator(".graphiql-dialog").getByText("Theme", { exact: true }).waitFor();
  await page.keyboard.press("Escape");
  await page.locator(".graphiql-dialog").waitFor({ state: "detached" });
  // The older schema has fields of its own: what is explained changes with the door.
  await page.getByLabel("Asked of").selectOption("/api");
  told.oldDocs = await explains("deleteMessage");
  told.old = await run("{ users { username } }", "users");
  told.kept = await page.evaluate(() => JSON.stringify(localStorage));
  if (process.env.SCREENSHOT) await page.screenshot({ path: process.env.SCREENSHOT });
} finally {
  await browser.close();
}
console.log(JSON.stringify(told));
