// How the server plans the statements of functions.

/**
 * Of a function that reads many rows. A connection keeps its plans, and the first ones are made when the tables are empty, so a
 * scan of the whole table looks as good as one by an index: it would read all entries each time, until the table is analyzed. A
 * high price of such scans makes the plan the same whatever is known of the table. The compiler, which takes longer than any of
 * these statements, is chosen by the price, too.
 */
export const byIndex = "SET seq_page_cost = 100 SET jit = off";
