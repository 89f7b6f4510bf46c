"""When: what stands in a column of times becomes microseconds since 1970 in UTC, by one form that all rows agree on."""
