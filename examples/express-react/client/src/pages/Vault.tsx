import type { CurrentSession } from "oncecode/client";
import { useLogout } from "oncecode/react";
import { type HealthRecord, pretty, useVault, words } from "../api.ts";
import { Icon, type IconName, Mark } from "../icons.tsx";
import { Button, Heading, useTitle } from "../parts.tsx";
import { useToast } from "../toasts.tsx";

const ICONS: Readonly<Record<string, IconName>> = { "Lab report": "flask", Prescription: "pill", Vaccination: "syringe", Scan: "scan" };

/** Shown to whoever is logged in; what is in it the server gives to nobody else. */
export function Vault({ session: { session } }: { session: CurrentSession }) {
  useTitle("Your vault");
  const vault = useVault();
  return (
    <div className="vault">
      <header className="bar">
        <p className="brand"><Mark /> Arogya Vault</p>
        <LogOut />
      </header>
      <main>
        <Heading>Your vault</Heading>
        {vault.isPending && <p className="lead" role="status">Fetching your records …</p>}
        {vault.isError && (
          <div role="alert">
            <p className="lead">Your records could not be fetched.</p>
            <Button className="button quiet" onClick={() => void vault.refetch()}>Try again</Button>
          </div>
        )}
        {vault.data && (
          <>
            <p className="lead">Signed in as <b>{pretty(vault.data.user.phoneNumber)}</b></p>
            <section aria-labelledby="records">
              <h2 id="records">Records <span className="badge">samples</span></h2>
              <ul className="records">
                {vault.data.records.map((record) => <Record key={record.id} record={record} />)}
              </ul>
            </section>
            <section aria-labelledby="security">
              <h2 id="security">Security</h2>
              <dl>
                <div><dt>Member since</dt><dd>{day(vault.data.user.memberSince)}</dd></div>
                {session.createdAt !== undefined && <div><dt>Signed in</dt><dd>{day(session.createdAt)}</dd></div>}
                <div><dt>Signed in until</dt><dd>{day(session.expiresAt)}</dd></div>
              </dl>
            </section>
          </>
        )}
      </main>
    </div>
  );
}

function LogOut() {
  const toast = useToast();
  const logout = useLogout({
    onSuccess: () => toast("You are logged out."),
    onError: (error) => toast(words(error), "bad"),
  });
  return <Button className="button quiet small" busy={logout.isPending} onClick={() => logout.mutate()}>Log out</Button>;
}

function Record({ record: { kind, title, issuer, date } }: { record: HealthRecord }) {
  return (
    <li className="record">
      <span className="tile"><Icon name={ICONS[kind] ?? "lock"} /></span>
      <div>
        <h3>{title}</h3>
        <p>{kind} · {issuer}</p>
      </div>
      <time dateTime={date}>{day(date)}</time>
    </li>
  );
}

function day(iso: string): string {
  return new Intl.DateTimeFormat("en-IN", { dateStyle: "medium" }).format(new Date(iso));
}
