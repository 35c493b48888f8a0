/**
 * Compiles the byte loops of `wasm/` and writes each result beside the module that uses it, to be committed:
 *
 *     npm run build:wasm
 */
import { writeFileSync } from 'node:fs';
import { compile, WASM_MODULES } from './support/wasm.ts';

for (const module of WASM_MODULES) {
  const bytes = await compile(module);
  writeFileSync(module.target, bytes);
  console.log(`${module.target}: ${bytes.length} bytes`);
}
