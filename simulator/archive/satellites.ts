/**
 * Catalogue numbers (`satNo`) of the host satellites, by sensor: from the JSON sample (origin: swxsoc_reach test data).
 *
 * The sample lacks REACH-162, 173 and 176: their numbers are made up and unlike all others.
 */
export const SATELLITE_NUMBERS: Readonly<Record<string, number>> = {
  'REACH-101': 41920,
  'REACH-102': 42803,
  'REACH-105': 41917,
  'REACH-108': 42955,
  'REACH-113': 42812,
  'REACH-114': 43481,
  'REACH-115': 42960,
  'REACH-116': 41924,
  'REACH-133': 42808,
  'REACH-134': 42964,
  'REACH-135': 42809,
  'REACH-136': 42961,
  'REACH-137': 42959,
  'REACH-138': 43075,
  'REACH-139': 43076,
  'REACH-140': 42957,
  'REACH-148': 43079,
  'REACH-149': 43577,
  'REACH-162': 49001,
  'REACH-163': 43250,
  'REACH-164': 43479,
  'REACH-165': 43253,
  'REACH-166': 43922,
  'REACH-169': 43078,
  'REACH-170': 43576,
  'REACH-171': 43571,
  'REACH-172': 43578,
  'REACH-173': 49002,
  'REACH-175': 43924,
  'REACH-176': 49003,
  'REACH-180': 43929,
  'REACH-181': 43569,
};
