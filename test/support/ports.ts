/** A port for a program that a test starts. */
import { freePorts } from '../../src/embedded/ports.ts';

/** Free, and outside the range that systems give to connections: those of other tests do not take it before the program has it. */
export async function freePort(): Promise<number> {
  const [port] = await freePorts(1);
  return port!;
}
