// What several pages are made of.

import { type ReactNode, useEffect, useLayoutEffect, useRef } from "react";
import { Icon, Mark } from "./icons.tsx";

let arrived = false;

/** A page's heading. It takes the focus when the page replaces another one, so that it is read out; not when the site is opened. */
export function Heading({ children, focus = true }: { children: ReactNode; focus?: boolean }) {
  const heading = useRef<HTMLHeadingElement>(null);
  useLayoutEffect(() => {
    if (arrived && focus) heading.current?.focus();
    arrived = true;
  }, [focus]);
  return <h1 ref={heading} tabIndex={-1}>{children}</h1>;
}

export function useTitle(title: string): void {
  useEffect(() => {
    document.title = `${title} · Arogya Vault`;
  }, [title]);
}

/** The frame of the pages before the log-in. */
export function Entrance({ title, children }: { title: string; children: ReactNode }) {
  useTitle(title);
  return (
    <div className="entrance">
      <header className="pitch">
        <p className="brand"><Mark /> Arogya Vault</p>
        <div className="promise">
          <p className="claim">Your health records, in one safe place.</p>
          <ul>
            <li><Icon name="phone" /> Sign in with your phone. No password to remember.</li>
            <li><Icon name="lock" /> Nobody sees your records but you.</li>
            <li><Icon name="share" /> At hand when a doctor asks for them.</li>
          </ul>
        </div>
      </header>
      <main>
        <div className="card">{children}</div>
      </main>
    </div>
  );
}

/** What is wrong with a field, read out as soon as it is there. */
export function Wrong({ id, children }: { id: string; children: ReactNode }) {
  return <p className="wrong" id={id} role="alert">{children}</p>;
}

/**
 * A button that says when it is at work or has to wait. It stays a place for the focus: whoever is on it with the keyboard must
 * not lose it.
 */
export function Button({ children, label, busy = false, waiting = false, className = "button", onClick, type = "button" }: {
  children: ReactNode;
  /** What it is called where its text is not enough. */
  label?: string;
  busy?: boolean;
  waiting?: boolean;
  className?: string;
  onClick?: () => void;
  type?: "button" | "submit";
}) {
  const off = busy || waiting;
  return (
    <button
      className={className}
      type={type}
      aria-label={label}
      aria-disabled={off}
      aria-busy={busy}
      onClick={(event) => {
        if (off) event.preventDefault();
        else onClick?.();
      }}
    >
      {children}
    </button>
  );
}

/** `14 Mar 2026`. */
export function day(iso: string): string {
  return new Intl.DateTimeFormat("en-IN", { dateStyle: "medium" }).format(new Date(iso));
}

/** `14 Mar 2026, 9:30 am`. */
export function moment(iso: string): string {
  return new Intl.DateTimeFormat("en-IN", { dateStyle: "medium", timeStyle: "short" }).format(new Date(iso));
}
