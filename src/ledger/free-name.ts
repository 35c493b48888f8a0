/** Tries `base-1`, `base-2`, … until `make` finds a name that is not taken. @param make - throws EEXIST when it is */
export async function freeName(base: string, make: (name: string) => Promise<void>): Promise<string> {
  for (let number = 1; ; number += 1) {
    const name = `${base}-${number}`;
    try {
      await make(name);
      return name;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
}
