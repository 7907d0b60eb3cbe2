#pragma once

namespace etesian::airflow {

/// `etesian airflow-task`: what the agent starts for a task of an Airflow DAG. It hands the
/// workload of ETESIAN_WORKLOAD with its own environment, folder, stdout and stderr over to the
/// Python host at the socket ETESIAN_AIRFLOW_SOCKET, passes SIGTERM and SIGINT on, and ends with
/// the code that the task's supervisor gives. When this process dies, the supervisor kills the
/// task. Other codes, each with a line on stderr: 1 = the host refused, or could not be reached
/// within five minutes; 70 = the supervisor broke off; 143, 130 = a signal came before the task was
/// handed over.
int hand_over_task();

}  // namespace etesian::airflow
