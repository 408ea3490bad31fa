// Who a proven phone number belongs to.

import { randomUUID } from "node:crypto";
import pg from "pg";

export interface User {
  id: string;
  /** E.164, such as `+919876543210`: one number is one user, however it was typed. */
  phoneNumber: string;
  createdAt: Date;
}

export interface Users {
  /** The user of a number that was just proven; made where there is none, once also when two ask together. */
  findOrCreate(phoneNumber: string): Promise<User>;
  find(id: string): Promise<User | undefined>;
  close(): Promise<void>;
}

/** What a browser is shown of a user. */
export function shown({ id, phoneNumber }: User): { id: string; phoneNumber: string } {
  return { id, phoneNumber };
}

/** For development: forgotten when the server ends. */
export class MemoryUsers implements Users {
  readonly #byPhone = new Map<string, User>();
  readonly #byId = new Map<string, User>();

  async findOrCreate(phoneNumber: string): Promise<User> {
    const known = this.#byPhone.get(phoneNumber);
    if (known !== undefined) return known;
    const user = { id: randomUUID(), phoneNumber, createdAt: new Date() };
    this.#byPhone.set(phoneNumber, user);
    this.#byId.set(user.id, user);
    return user;
  }

  async find(id: string): Promise<User | undefined> {
    return this.#byId.get(id);
  }

  async close(): Promise<void> {}
}

const TABLE = `
  CREATE TABLE IF NOT EXISTS users (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    phone_number text NOT NULL UNIQUE,
    username text,
    email text,
    abha_id text,
    is_guest boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
  )`;
const SHOWN = `id, phone_number AS "phoneNumber", created_at AS "createdAt"`;
const SECONDS = 1000;

/** In PostgreSQL 13 or newer. */
export class PostgresUsers implements Users {
  readonly #pool: pg.Pool;

  private constructor(pool: pg.Pool) {
    this.#pool = pool;
  }

  /** Makes the table where it is missing; an app that lives longer will want migrations. */
  static async open(url: string): Promise<PostgresUsers> {
    // No request waits for a database that does not answer.
    const pool = new pg.Pool({ connectionString: url, connectionTimeoutMillis: 5 * SECONDS, query_timeout: 5 * SECONDS });
    // A connection that breaks while nobody uses it is replaced by the next query.
    pool.on("error", (error) => console.error(`PostgreSQL: ${error.message}`));
    try {
      // Two processes that start together would both make it, and one of them fail.
      await pool.query(`BEGIN; SELECT pg_advisory_xact_lock(7206101); ${TABLE}; COMMIT`);
    } catch (error) {
      await pool.end();
      throw error;
    }
    return new PostgresUsers(pool);
  }

  async findOrCreate(phoneNumber: string): Promise<User> {
    const { rows } = await this.#pool.query<User>(
      `INSERT INTO users (phone_number) VALUES ($1)
       ON CONFLICT (phone_number) DO UPDATE SET updated_at = now() RETURNING ${SHOWN}`,
      [phoneNumber],
    );
    return rows[0]!;
  }

  async find(id: string): Promise<User | undefined> {
    const { rows } = await this.#pool.query<User>(`SELECT ${SHOWN} FROM users WHERE id = $1`, [id]);
    return rows[0];
  }

  async close(): Promise<void> {
    await this.#pool.end();
  }
}
