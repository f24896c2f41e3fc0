// Puts GraphiQL on the page, with a choice of the doors that answer GraphQL. Everything is asked of Sabir's own address;
// who is asking, the reader says in the editor of headers.
"use strict";

(async () => {
  const UNFILLED = "Bearer TOKEN";
  const ABOUT = `# Write an operation here,
# and run it with Ctrl-Enter.
`;
  const place = document.getElementById("graphiql");
  const choice = document.getElementById("door");
  const root = ReactDOM.createRoot(place);

  const response = await fetch("graphiql/doors");
  const doors = response.ok ? await response.json() : [];
  for (const { name, path } of doors) choice.add(new Option(`${name}: ${path}`, path));
  const wanted = decodeURIComponent(location.hash.slice(1));
  if (doors.some(({ path }) => path === wanted)) choice.value = wanted;

  const problem = (message) => ({ errors: [{ message }] });
  const asks = (path) => async (asked, { headers } = {}) => {
    if (Object.values(headers ?? {}).includes(UNFILLED)) {
      return problem("Nothing was sent: under Headers, write a token in place of TOKEN.");
    }
    const response = await fetch(`graphiql${path}`, {
      method: "POST",
      headers: { Accept: "application/json", "Content-Type": "application/json", ...headers },
      body: JSON.stringify(asked),
    });
    const text = await response.text();
    try {
      return JSON.parse(text);
    } catch {
      return problem(`${response.status}: ${text}`);
    }
  };

  // GraphiQL remembers what was run together with its headers; a token is not to stay in the browser.
  const HISTORY = ["graphiql:queries", "graphiql:favorites"];
  const nameless = (text) => JSON.stringify(JSON.parse(text), (name, value) => (name === "headers" ? null : value));
  const storage = {
    getItem: (name) => localStorage.getItem(name),
    setItem: (name, text) => localStorage.setItem(name, HISTORY.includes(name) ? nameless(text) : text),
    removeItem: (name) => localStorage.removeItem(name),
    clear: () => localStorage.clear(),
    get length() {
      return localStorage.length;
    },
  };

  // Another function has GraphiQL ask for the schema again: at another door, and when somebody says who they are.
  let seen = UNFILLED;
  const authorization = (text) => {
    try {
      return JSON.parse(text).Authorization ?? "";
    } catch {
      return seen;
    }
  };
  let soon;
  const onEditHeaders = (text) => {
    clearTimeout(soon);
    soon = setTimeout(() => {
      const said = authorization(text);
      if (said !== seen) show();
      seen = said;
    }, 500);
  };
  const show = () =>
    root.render(
      React.createElement(GraphiQL, {
        fetcher: asks(choice.value),
        defaultQuery: ABOUT,
        defaultHeaders: JSON.stringify({ Authorization: UNFILLED }, null, 2),
        defaultEditorToolsVisibility: "headers",
        shouldPersistHeaders: false,
        storage,
        onEditHeaders,
      }),
    );
  choice.addEventListener("change", () => {
    location.hash = choice.value;
    show();
  });
  show();
})();
