const PATHS = {
  check: "M4.5 12.5 9.5 17.5 19.5 7",
  alert: "M12 7.5v5.5M12 16.8v.2M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18Z",
  close: "m6.5 6.5 11 11m0-11-11 11",
  lock: "M7 10.5V8a5 5 0 0 1 10 0v2.5M6 10.5h12v9H6zM12 14v2",
  phone: "M8 3h8v18H8zM11 18h2",
  screen: "M4 5h16v11H4zM9 20h6M12 16v4",
  share: "M12 15V4m0 0L8 8m4-4 4 4M5 13v6h14v-6",
  flask: "M10 3v6L5 19a1.5 1.5 0 0 0 1.3 2h11.4A1.5 1.5 0 0 0 19 19L14 9V3M8.5 3h7M7.5 15h9",
  pill: "m5.5 12.5 7-7a4.2 4.2 0 0 1 6 6l-7 7a4.2 4.2 0 0 1-6-6Zm3.5-3.5 6 6",
  syringe: "m14 4 6 6m-3-3-9.5 9.5L4 20m1.5-6.5 5 5M11 8l5 5M9 11l2 2",
  scan: "M4 8V4h4M16 4h4v4M20 16v4h-4M8 20H4v-4M7 12h10M9 9v6M12 8v8M15 9v6",
} as const;

export type IconName = keyof typeof PATHS;

/** A drawing that says nothing that its text does not. */
export function Icon({ name }: { name: IconName }) {
  return (
    <svg className="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} />
    </svg>
  );
}

export function Mark() {
  return (
    <svg className="mark" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
      <path className="shield" d="M16 1.5 28 6v9.5c0 7.2-4.9 12.7-12 15-7.1-2.3-12-7.8-12-15V6z" />
      <path className="pulse" d="M8.5 16.5h3.7l2.3-5 3.2 9 2.1-4h3.7" />
    </svg>
  );
}
