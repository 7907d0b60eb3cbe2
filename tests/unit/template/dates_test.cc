#include "unit/template/support.h"

namespace etesian {
namespace {

TEST(Dates, AreFormattedWithTheCodesOfStrftime) {
  expect_rendered(
      {{"{{ logical_date.strftime('%Y/%m/%d %H:%M:%S %j %a %A %b %B %y %p %I') }}",
        "2024/03/08 20:00:00 068 Fri Friday Mar March 24 PM 08"},
       {"{{ logical_date.strftime('%-d.%-m. %e %F %T %z %Z %% %f %u %w %V %G %U %W %s') }}",
        "8.3.  8 2024-03-08 20:00:00 +0000 UTC % 000000 5 5 10 2024 09 10 1709928000"},
       {"{{ macros.datetime(2021, 1, 3).strftime('%G-%V %U %W') }}", "2020-53 01 00"},
       {"{{ logical_date.strftime('%Q') }}", "error 16+8: '%Q' is not a code of strftime"}});
}

TEST(Dates, MoveByCalendarAndByElapsedTime) {
  expect_rendered(
      {{"{{ logical_date + macros.timedelta(days=1, hours=2) }}", "2024-03-09 22:00:00+00:00"},
       {"{{ (data_interval_end - data_interval_start).total_seconds() | int }}", "86400"},
       {"{{ data_interval_end - data_interval_start }}", "1 day, 0:00:00"},
       {"{{ macros.datetime(2024, 1, 31).add(months=1).date() }}", "2024-02-29"},
       {"{{ logical_date.subtract(days=8).date() }}", "2024-02-29"},
       {"{{ logical_date.in_timezone('America/New_York').add(days=2) }}",
        "2024-03-10 15:00:00-04:00"},
       {"{{ logical_date.in_timezone('America/New_York').add(hours=48) }}",
        "2024-03-10 16:00:00-04:00"},
       {"{{ logical_date.day_of_week }} {{ logical_date.date() }}", "4 2024-03-08"},
       {"{{ logical_date < data_interval_end }} {{ -macros.timedelta(hours=1) }}",
        "True -1 day, 23:00:00"},
       {"{{ macros.ds_add(ds, 5) }} {{ macros.ds_add('2024-03-01', -1) }}",
        "2024-03-13 2024-02-29"},
       {"{{ macros.ds_format('2015-01-01', '%Y-%m-%d', '%d/%m/%y') }}", "01/01/15"},
       {"{{ macros.datetime.strptime('5 Mar 2024 7:08 PM', '%d %b %Y %I:%M %p') }}",
        "2024-03-05 19:08:00"},
       {"{{ macros.datetime(2024, 2, 30) }}",
        "error 10+8: this day does not exist in the calendar"},
       {"{{ logical_date.add(years=9000) }}", "error 16+3: the date leaves the years 1 to 9999"},
       {"{{ logical_date - macros.datetime(2024, 1, 1) }}",
        "error 16+1: a date with a zone and one without have no difference"}});
}

}  // namespace
}  // namespace etesian
