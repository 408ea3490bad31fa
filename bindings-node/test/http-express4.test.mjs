import "./express4.cjs";
import { runCases } from "./http-cases.mjs";

runCases("4.");
