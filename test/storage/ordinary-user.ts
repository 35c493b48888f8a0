/** Tests of permissions mean nothing to root, who may write everywhere. */
const NOBODY = 65_534;

/** Runs `work` without root's privileges; as it is when the tests do not run as root. */
export async function asOrdinaryUser<T>(work: () => Promise<T>): Promise<T> {
  if (process.geteuid?.() !== 0) return work();
  process.setegid?.(NOBODY);
  process.seteuid?.(NOBODY);
  try {
    return await work();
  } finally {
    process.seteuid?.(0);
    process.setegid?.(0);
  }
}
