tier = "serverless"
