// Which page is shown: the vault to whoever is logged in, the way in to everybody else.

import { useSession } from "oncecode/react";
import { Redirect, Route, Switch } from "wouter";
import { words } from "./api.ts";
import { EnterCode } from "./pages/EnterCode.tsx";
import { SignIn } from "./pages/SignIn.tsx";
import { Vault } from "./pages/Vault.tsx";
import { Entrance, Heading } from "./parts.tsx";

export function App() {
  const session = useSession();
  if (session.isPending) return <p className="loading" role="status">Opening Arogya Vault …</p>;
  if (session.isError) {
    return (
      <Entrance title="Not reachable">
        <Heading>We cannot reach the vault</Heading>
        <p className="lead" role="alert">{words(session.error)}</p>
        <button className="button" type="button" onClick={() => void session.refetch()}>Try again</button>
      </Entrance>
    );
  }
  return session.data === null ? (
    <Switch>
      <Route path="/login" component={SignIn} />
      <Route path="/code" component={EnterCode} />
      <Route><Redirect to="/login" replace /></Route>
    </Switch>
  ) : (
    <Switch>
      <Route path="/vault" component={Vault} />
      <Route><Redirect to="/vault" replace /></Route>
    </Switch>
  );
}
