// Where somebody is signed in, and how to end it there.

import { type Device, useDevices, useLogOutThere } from "./api.ts";
import { Icon } from "./icons.tsx";
import { Button, moment } from "./parts.tsx";
import { useToast } from "./toasts.tsx";

export function Devices() {
  const devices = useDevices();
  return (
    <section aria-labelledby="devices">
      <h2 id="devices" tabIndex={-1}>Signed in on</h2>
      {devices.isError && <p role="alert">Your devices could not be fetched.</p>}
      <ul className="list">{devices.data?.map((device) => <Row key={device.id} device={device} />)}</ul>
    </section>
  );
}

function Row({ device: { id, device, lastActiveAt, current } }: { device: Device }) {
  const toast = useToast();
  const name = nameOf(device);
  const logOut = useLogOutThere({
    onSuccess: () => {
      toast(`Logged out of ${name}.`);
      // The button goes, and the focus with it.
      document.getElementById("devices")?.focus();
    },
    onError: () => toast("That did not work. Please try again.", "bad"),
  });
  return (
    <li className="item">
      <span className="tile"><Icon name={/Phone|Android/.test(name) ? "phone" : "screen"} /></span>
      <div>
        <h3>{name}</h3>
        <p>{current ? "This device" : `Last active ${moment(lastActiveAt)}`}</p>
      </div>
      {!current && (
        <Button className="button quiet small" label={`Log out of ${name}`} busy={logOut.isPending} onClick={() => logOut.mutate(id)}>Log out</Button>
      )}
    </li>
  );
}

const BROWSERS = [["Edg", "Edge"], ["OPR", "Opera"], ["SamsungBrowser", "Samsung Internet"], ["Firefox", "Firefox"], ["Chrome", "Chrome"], ["Safari", "Safari"]];
const SYSTEMS = [["iPhone", "iPhone"], ["iPad", "iPad"], ["Android", "Android"], ["Windows", "Windows"], ["Mac OS X", "Mac"], ["CrOS", "ChromeOS"], ["Linux", "Linux"]];

/** `Chrome on Linux`, as well as a `User-Agent` tells. */
function nameOf(agent = ""): string {
  const of = (known: string[][]) => known.find(([mark]) => agent.includes(mark!))?.[1];
  const [browser, system] = [of(BROWSERS), of(SYSTEMS)];
  return [browser ?? "A browser", system].filter(Boolean).join(" on ");
}
