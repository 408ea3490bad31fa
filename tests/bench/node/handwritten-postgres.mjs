// The pattern of express-backend-plan.md (OTPService over otp_sessions): one awaited statement after the other.
import { randomInt } from "node:crypto";
import pg from "pg";
import { check, contest } from "./harness.mjs";

await contest(async (url) => {
  const pool = new pg.Pool({ connectionString: url });
  await pool.query(`CREATE TABLE IF NOT EXISTS otp_sessions_node (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), phone_number text NOT NULL UNIQUE, otp varchar(6) NOT NULL,
    expires_at timestamptz NOT NULL, attempts integer NOT NULL DEFAULT 0, verified boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now())`);
  const find = async (phone) =>
    (await pool.query("SELECT * FROM otp_sessions_node WHERE phone_number = $1", [phone])).rows[0];

  async function issue(phone) {
    const existing = await find(phone);
    check(!existing || Date.now() - existing.created_at.getTime() >= 60_000, "cooldown");
    const otp = randomInt(100000, 999999).toString();
    await pool.query(
      `INSERT INTO otp_sessions_node (phone_number, otp, expires_at) VALUES ($1, $2, $3)
       ON CONFLICT (phone_number) DO UPDATE SET otp = $2, expires_at = $3, attempts = 0, created_at = now()`,
      [phone, otp, new Date(Date.now() + 600_000)],
    );
    return otp;
  }

  async function verify(phone, otp) {
    const session = await find(phone);
    check(session && session.expires_at > new Date(), "expired or not found");
    check(session.attempts < 5, "too many attempts");
    await pool.query("UPDATE otp_sessions_node SET attempts = attempts + 1 WHERE id = $1", [session.id]);
    check(session.otp === otp, "wrong code");
    await pool.query("DELETE FROM otp_sessions_node WHERE id = $1", [session.id]);
  }

  return {
    flow: async (phone) => verify(phone, await issue(phone)),
    close: () => pool.end(),
  };
});
