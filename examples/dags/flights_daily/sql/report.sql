-- The report that people open in the morning: one line a day.
BEGIN IMMEDIATE;
DROP TABLE IF EXISTS report;
CREATE TABLE report AS
SELECT day, sum(departures) AS departures, sum(cancelled) AS cancelled,
       round(sum(mean_delay * (departures - cancelled)) / max(1, sum(departures - cancelled)), 1) AS mean_delay
FROM airport_day
GROUP BY day
ORDER BY day;
COMMIT;
SELECT count(*) || ' days in the report' FROM report;
