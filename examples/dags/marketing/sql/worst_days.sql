BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS worst_days (day PRIMARY KEY, mean_delay, cancelled);
DELETE FROM worst_days;
INSERT INTO worst_days
SELECT day, mean_delay, cancelled FROM report ORDER BY cancelled DESC, mean_delay DESC LIMIT 5;
COMMIT;
SELECT day, cancelled, mean_delay FROM worst_days ORDER BY cancelled DESC, mean_delay DESC;
