// Short messages that go away by themselves; read out when they come.

import { createContext, type ReactNode, useCallback, useContext, useEffect, useState } from "react";
import { Icon } from "./icons.tsx";

const STAYS_MS = 6000;

interface Toast {
  key: number;
  text: string;
  tone: "good" | "bad";
}

const Context = createContext<(text: string, tone?: Toast["tone"]) => void>(() => {});

/** Shows a message in place of the one before: `toast("Code sent.")`, `toast("No answer came.", "bad")`. */
export const useToast = () => useContext(Context);

export function Toasts({ children }: { children: ReactNode }) {
  const [toast, setToast] = useState<Toast>();
  const show = useCallback((text: string, tone: Toast["tone"] = "good") => {
    setToast((before) => ({ key: (before?.key ?? 0) + 1, text, tone }));
  }, []);
  const remove = useCallback((key: number) => setToast((shown) => (shown?.key === key ? undefined : shown)), []);
  return (
    <Context value={show}>
      {children}
      <div className="toasts" role="status">{toast && <Shown key={toast.key} toast={toast} remove={remove} />}</div>
    </Context>
  );
}

function Shown({ toast: { key, text, tone }, remove }: { toast: Toast; remove: (key: number) => void }) {
  // Whoever points at it, or is on its button, is not done with it.
  const [held, setHeld] = useState(false);
  useEffect(() => {
    if (held) return;
    const timer = setTimeout(remove, STAYS_MS, key);
    return () => clearTimeout(timer);
  }, [held, key, remove]);
  const [hold, release] = [() => setHeld(true), () => setHeld(false)];
  const dismiss = () => {
    remove(key);
    // The focus goes with the button; the page's heading takes it.
    document.querySelector<HTMLElement>("h1")?.focus();
  };
  return (
    <div className={`toast ${tone}`} onPointerEnter={hold} onPointerLeave={release} onFocus={hold} onBlur={release}>
      <Icon name={tone === "good" ? "check" : "alert"} />
      <span>{text}</span>
      <button type="button" aria-label="Dismiss" onClick={dismiss}><Icon name="close" /></button>
    </div>
  );
}
