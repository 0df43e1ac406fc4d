// What the peers share: where the simulators are, and how a check is told.

import { readFileSync } from "node:fs";

/** The address and all settings of a simulated desk, as `baton simulate --json` says them. */
export function desk(kind) {
  const lines = readFileSync(process.argv[2], "utf8").trim().split("\n").map((line) => JSON.parse(line));
  const ready = lines.find((line) => line.what === "ready" && line.desk === kind);
  const settings = { ...ready.settings };
  for (const [name, file] of Object.entries(ready.secret_files ?? {})) {
    settings[name] ??= readFileSync(file, "utf8").trim();
  }
  return { url: ready.url, settings };
}

/** Takes a step, and says how it went; what a step gives is given on. */
export async function step(name, act) {
  try {
    const came = await act();
    console.log(`  ok      ${name}`);
    return came;
  } catch (error) {
    const said = error?.response?.text ?? error?.stack ?? JSON.stringify(error);
    console.log(`  FAILED  ${name}: ${said}`);
    process.exitCode = 1;
    throw new Error(`${name} failed; the steps after it need it`);
  }
}

/** Ends quietly after a step that failed: it has been told. */
export async function run(steps) {
  await steps().catch((error) => {
    console.log(`  ${error.message}`);
    process.exitCode = 1;
  });
}

/** Looks until something is so. */
export async function until(name, isSo) {
  const patience = Date.now() + 10_000;
  while (!isSo()) {
    if (Date.now() > patience) throw new Error(`${name} did not come`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
