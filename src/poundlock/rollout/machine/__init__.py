"""The roll-out machine: states, edges and rules as data; the state of a programme as a pure function of entries and the calendar."""
