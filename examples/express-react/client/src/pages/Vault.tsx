import { useLogout } from "oncecode/react";
import { type HealthRecord, pretty, useVault, words } from "../api.ts";
import { Devices } from "../devices.tsx";
import { Icon, type IconName, Mark } from "../icons.tsx";
import { Button, day, Heading, useTitle } from "../parts.tsx";
import { useToast } from "../toasts.tsx";

const ICONS: Readonly<Record<string, IconName>> = { "Lab report": "flask", Prescription: "pill", Vaccination: "syringe", Scan: "scan" };

/** Shown to whoever is logged in; what is in it the server gives to nobody else. */
export function Vault() {
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
            <p className="lead">
              Signed in as <b>{pretty(vault.data.user.phoneNumber)}</b>, member since {day(vault.data.user.memberSince)}
            </p>
            <section aria-labelledby="records">
              <h2 id="records">Records <span className="badge">samples</span></h2>
              <ul className="list">
                {vault.data.records.map((record) => <Record key={record.id} record={record} />)}
              </ul>
            </section>
            <Devices />
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
    <li className="item">
      <span className="tile"><Icon name={ICONS[kind] ?? "lock"} /></span>
      <div>
        <h3>{title}</h3>
        <p>{kind} · {issuer}</p>
        <p><time dateTime={date}>{day(date)}</time></p>
      </div>
    </li>
  );
}
