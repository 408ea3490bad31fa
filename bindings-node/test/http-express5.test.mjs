import { runCases } from "./http-cases.mjs";

runCases("5.");
