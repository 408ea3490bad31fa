// What is in a vault. Here everybody finds the same samples; your app has a table.

export interface HealthRecord {
  id: string;
  kind: "Lab report" | "Prescription" | "Vaccination" | "Scan";
  title: string;
  issuer: string;
  /** ISO 8601, without a time. */
  date: string;
}

const SAMPLES: readonly HealthRecord[] = [
  { id: "r1", kind: "Lab report", title: "Complete blood count", issuer: "Sunrise Diagnostics, Pune", date: "2026-03-14" },
  { id: "r2", kind: "Prescription", title: "Vitamin D3, 60 000 IU", issuer: "Dr. Meera Kulkarni", date: "2026-02-27" },
  { id: "r3", kind: "Vaccination", title: "Influenza, seasonal", issuer: "City Health Centre", date: "2025-11-08" },
  { id: "r4", kind: "Scan", title: "Chest X-ray", issuer: "Lotus Imaging, Mumbai", date: "2025-08-19" },
];

export async function recordsOf(_userId: string): Promise<readonly HealthRecord[]> {
  return SAMPLES;
}
