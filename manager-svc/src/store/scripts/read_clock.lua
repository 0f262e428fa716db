-- The clock of the shard that holds everything; `TIME` alone would ask any shard.
-- KEYS 1 seq (not used): names the shard
-- ARGV none
-- Returns milliseconds since the Unix epoch
return clock()
