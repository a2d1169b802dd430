/* main.tsx - the frame: who you are, where you are, how it looks. */
import { render } from "preact";
import { useEffect, useState } from "preact/hooks";
import { call, onSignedOut, signIn, signOut, token } from "./api";
import { Audit } from "./audit";
import { KeySpace } from "./keyspace";
import { useLive } from "./live";
import { Moves } from "./moves";
import { Overview } from "./overview";
import { Scaler } from "./scaler";
import { ServersPage } from "./servers";
import { Statements } from "./statements";
import { Problem } from "./ui";

const PAGES: [string, string][] = [
  ["overview", "Overview"], ["keys", "Keys"], ["servers", "Servers"], ["statements", "Statements"],
  ["moves", "Moves"], ["scaler", "Scaler"], ["audit", "Audit"],
];

function here(): string {
  const name = location.hash.replace(/^#\/?/, "");
  return PAGES.some(([p]) => p === name) ? name : "overview";
}

function usePage(): string {
  const [page, setPage] = useState(here);

  useEffect(() => {
    const went = () => {
      setPage(here());
      document.getElementById("content")?.focus();
    };
    window.addEventListener("hashchange", went);
    return () => window.removeEventListener("hashchange", went);
  }, []);
  return page;
}

const THEMES = ["auto", "light", "dark"] as const;

function Theme() {
  const [theme, setTheme] = useState(localStorage.getItem("shardd.theme") ?? "auto");

  useEffect(() => {
    localStorage.setItem("shardd.theme", theme);
    if (theme === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
  }, [theme]);
  return (
    <label class="theme"><span>Theme</span>
      <select value={theme} onChange={(e) => setTheme(e.currentTarget.value)}>
        {THEMES.map((t) => <option key={t} value={t}>{t}</option>)}
      </select>
    </label>
  );
}

function SignIn(props: { done: () => void }) {
  const [value, setValue] = useState("");
  const [error, setError] = useState<Error>();
  const submit = async (event: Event) => {
    event.preventDefault();
    signIn(value);
    try {
      await call("status");
      props.done();
    } catch (e) {
      setError(e as Error);
    }
  };

  return (
    <main class="sign-in">
      <form onSubmit={submit}>
        <h1>shardd</h1>
        <label>Token <input type="password" value={value} autocomplete="current-password" autofocus
          onInput={(e) => setValue(e.currentTarget.value)} required /></label>
        <button type="submit">Sign in</button>
        <p class="note"><code>shardctl token issue</code> makes one.</p>
        <Problem error={error} />
      </form>
    </main>
  );
}

function Frame() {
  const page = usePage();
  const live = useLive();

  return (
    <>
      <a class="skip" href="#content" onClick={(e) => {
        e.preventDefault();
        document.getElementById("content")?.focus();
      }}>To the content</a>
      <header class="top">
        <a class="mark" href="#/overview"><img src="/icon.svg" alt="" width="22" height="22" />
          shardd</a>
        <nav aria-label="Pages">
          {PAGES.map(([name, text]) =>
            <a key={name} href={`#/${name}`} aria-current={page === name ? "page" : undefined}>
              {text}</a>)}
        </nav>
        <Theme />
        {token() && <button type="button" onClick={signOut}>Sign out</button>}
      </header>
      <main id="content" tabIndex={-1}>
        {page === "overview" && <Overview top={live.data} live={live.live} error={live.error} />}
        {page === "keys" && <KeySpace />}
        {page === "servers" && <ServersPage />}
        {page === "statements" && <Statements />}
        {page === "moves" && <Moves />}
        {page === "scaler" && <Scaler />}
        {page === "audit" && <Audit />}
      </main>
    </>
  );
}

function App() {
  const [state, setState] = useState<"asking" | "in" | "out">("asking");

  useEffect(() => onSignedOut(() => setState("out")), []);
  useEffect(() => {
    call("status").then(() => setState("in"),
                        (e) => setState(e.status === 401 ? "out" : "in"));
  }, []);
  if (state === "asking") return <p class="boot">Loading …</p>;
  return state === "in" ? <Frame /> : <SignIn done={() => setState("in")} />;
}

render(<App />, document.getElementById("app")!);
